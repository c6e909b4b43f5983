import { meanLoad, type ScoreFacts, scoreOf } from '../../src/broker/score.js'

const healthy: ScoreFacts = {
  network: 1,
  isConfigurationCurrent: true,
  isBridgeUp: true,
  hasMemoryForEngine: true,
  runsEngine: false,
  load: 0,
  failedStarts: 0,
  sinceFailedStartMs: null,
  isInMaintenance: false,
  isStopped: false,
}
const of = (lack: Partial<ScoreFacts>) => scoreOf({ ...healthy, ...lack })

describe('the score of a host', () => {
  it.each<[string, Partial<ScoreFacts>, number]>([
    ['is 3400 where nothing is lacking', {}, 3400],
    ['falls with what the network does not carry', { network: 0.6 }, 2760],
    ['falls with the load from 0.4', { load: 0.4 }, 3400],
    ['falls with the load half way', { load: 0.65 }, 2900],
    ['falls with the load up to 0.9', { load: 7 }, 2400],
    ['falls by an old configuration', { isConfigurationCurrent: false }, 2400],
    ['falls by a bridge that is down', { isBridgeUp: false }, 2800],
    ['falls by memory that is lacking', { hasMemoryForEngine: false }, 3000],
    [
      'does not fall by the memory that the engine itself has taken',
      { hasMemoryForEngine: false, runsEngine: true },
      3400,
    ],
    ['falls by each failed start', { failedStarts: 3, sinceFailedStartMs: 1 }, 3250],
    ['is 0 after four of them', { failedStarts: 4, sinceFailedStartMs: 599_999 }, 0],
    ['is good again ten minutes later', { failedStarts: 4, sinceFailedStartMs: 600_000 }, 3400],
    ['is 0 in maintenance', { isInMaintenance: true }, 0],
    ['is 0 while the agent is stopped', { isStopped: true }, 0],
    [
      'is never below 0',
      { network: 0, isConfigurationCurrent: false, isBridgeUp: false, hasMemoryForEngine: false, load: 1 },
      0,
    ],
  ])('%s', (_, lack, score) => {
    expect(of(lack).score).toBe(score)
  })

  it('takes what is unknown for the worst', () => {
    const unknown = {
      network: null,
      isConfigurationCurrent: null,
      isBridgeUp: null,
      hasMemoryForEngine: null,
      load: null,
    }
    const { score, penalties } = of(unknown)
    expect(score).toBe(0)
    expect(penalties.map(({ reason }) => reason)).toEqual(Array(5).fill(expect.stringContaining('unknown')))
  })

  it('names each penalty, and only what there is', () => {
    expect(of({ network: 0.5, isBridgeUp: false }).penalties).toEqual([
      { of: 'network', points: 800, reason: expect.stringContaining('0.5') },
      { of: 'bridge', points: 600, reason: expect.stringContaining('down') },
    ])
    expect(of({}).penalties).toEqual([])
  })
})

describe('the mean of a load', () => {
  it.each<[[number, number | null][], number | null]>([
    [
      [
        [0, 0],
        [1, 30],
        [3, 0],
      ],
      15,
    ],
    [
      [
        [0, 0],
        [1, 10],
      ],
      5,
    ],
    [
      [
        [0, 5],
        [1, 5],
        [2, null],
        [5, 5],
      ],
      5,
    ],
    [
      [
        [0, 0],
        [1, 0],
        [2, 0],
      ],
      0,
    ],
    [[[0, 7]], null],
    [[], null],
  ])('of %j is %s', (points, mean) => {
    expect(meanLoad(points)).toBe(mean)
  })
})
