import type { FastifyRequest } from 'fastify'
import { BoundedCounters } from '../../src/engine/platform/bounded-counters.js'
import { subjectOf } from '../../src/engine/platform/client-address.js'

describe('counters', () => {
  const minute = 60_000

  it('count each key for itself, and begin anew when the window ends', () => {
    let nowMs = 0
    const counters = new BoundedCounters(10, () => nowMs)
    const hit = (key: string) => counters.hit(key, minute, 2)
    expect([hit('a'), hit('a'), hit('a'), hit('b')].map(({ isBlocked }) => isBlocked)).toEqual([
      false,
      false,
      true,
      false,
    ])
    expect(counters.fullFor('a', 2)).toBe(60)
    nowMs = 59_500
    expect(hit('a')).toMatchObject({ isBlocked: true, timeToExpire: 1 })
    nowMs = 60_000
    expect(counters.fullFor('a', 2)).toBeNull()
    expect(hit('a')).toMatchObject({ isBlocked: false, totalHits: 1, timeToExpire: 60 })
  })

  it('take no more room than they were given, however many keys there are', () => {
    const counters = new BoundedCounters(1_000)
    for (let key = 0; key < 1_000_000; key++) counters.hit(`key ${key}`, minute, 5)
    expect(counters.size).toBe(1_000)
    expect(counters.hit('key 999999', minute, 5).totalHits).toBe(2)
  })

  it('let go of windows that have ended', () => {
    let nowMs = 0
    const counters = new BoundedCounters(1_000, () => nowMs)
    for (let key = 0; key < 900; key++) counters.hit(`key ${key}`, minute, 5)
    nowMs = minute
    counters.hit('another', minute, 5)
    expect(counters.size).toBe(1)
  })
})

it.each([
  ['203.0.113.9', '203.0.113.9'],
  ['2001:db8:1:2:aaaa::1', '2001:db8:1:2::/64'],
  ['2001:db8:1:2:bbbb:cccc:dddd:eeee', '2001:db8:1:2::/64'],
  ['2001:DB8:1:2:bbbb:0:0:2', '2001:db8:1:2::/64'],
  ['2001:db8:1:3::1', '2001:db8:1:3::/64'],
  ['::ffff:192.0.2.7', '192.0.2.7'],
  ['fe80::1%eth0', 'fe80::/64'],
  ['::1', '::/64'],
  ['no address', 'unknown'],
])('%s is counted as %s', (ip, network) => {
  expect(subjectOf({ ip } as FastifyRequest)).toBe(`address:${network}`)
})
