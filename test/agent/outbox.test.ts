import 'reflect-metadata'
import { silentLogger } from '../../src/agent/logger.js'
import { createObservationOutbox } from '../../src/agent/observations.js'
import { RefusedError } from '../../src/agent/refused-error.js'
import { CurrentSession, type Session } from '../../src/agent/session.js'
import { storageSubject, subjectKey } from '../../src/wire/commands.js'
import { MAX_BATCH, type Observation } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'

const seen = (id: string, status: string): Observation => ({
  subject: storageSubject(id),
  generation: 1,
  status,
  fault: null,
})

/** Who waits once does so for longer than the test lasts. */
const slow = { baseMs: 3_600_000, maxMs: 3_600_000 }

function world(observe: Session['observe'], backoff = { baseMs: 5, maxMs: 10 }) {
  const current = new CurrentSession()
  const outbox = createObservationOutbox(current, silentLogger, { backoff })
  const put = (observation: Observation) => outbox.put(observation.subject, observation)
  const session: Session = {
    epoch: 1,
    address: 'test:1',
    observe,
    permit: async () => ({ granted: true }),
    report: async () => [],
    renew: async () => ({ certificate: '', authorities: [] }),
  }
  return { current, outbox, put, session }
}

describe('observations', () => {
  it('made while nobody listens are pushed as the latest of each subject, in the order of their last change', async () => {
    const pushed: Observation[][] = []
    const { current, outbox, put, session } = world(async (batch) => void pushed.push([...batch]))
    for (const status of ['CONNECTING', 'DOWN', 'UP']) for (const id of ['a', 'b']) put(seen(id, status))
    put(seen('a', 'DOWN'))
    expect(outbox.size).toBe(2)
    current.set(session)
    await eventually(() => expect(pushed).toEqual([[seen('b', 'UP'), seen('a', 'DOWN')]]))
    await eventually(() => expect(outbox.size).toBe(0))
  })

  it('are kept until they are acknowledged, over calls that fail and sessions that end', async () => {
    let calls = 0
    const pushed: Observation[] = []
    const { current, put, session } = world(async (batch) => {
      calls += 1
      if (calls < 3) throw new Error('not answered')
      pushed.push(...batch)
    })
    put(seen('a', 'UP'))
    current.set(session)
    await eventually(() => expect(calls).toBeGreaterThan(0))
    current.set(null)
    current.set(session)
    await eventually(() => expect(pushed).toEqual([seen('a', 'UP')]))
  })

  it('that change on their way are pushed again; one call is in flight at a time', async () => {
    const pushed: Observation[] = []
    const gate = new Gate()
    let inFlight = 0
    let most = 0
    const { current, put, session } = world(async (batch) => {
      inFlight += 1
      most = Math.max(most, inFlight)
      await gate.passed
      inFlight -= 1
      pushed.push(...batch)
    })
    current.set(session)
    put(seen('a', 'CONNECTING'))
    await eventually(() => expect(inFlight).toBe(1))
    put(seen('a', 'UP'))
    put(seen('b', 'UP'))
    gate.open()
    await eventually(() => expect(pushed).toEqual([seen('a', 'CONNECTING'), seen('a', 'UP'), seen('b', 'UP')]))
    expect(most).toBe(1)
  })

  it('travel in batches that the wire takes', async () => {
    const sizes: number[] = []
    const { current, put, session } = world(async (batch) => void sizes.push(batch.length))
    for (let i = 0; i < 1200; i += 1) put(seen(`c${i}`, 'UP'))
    current.set(session)
    await eventually(() => expect(sizes).toEqual([MAX_BATCH, MAX_BATCH, 200]))
  })
})

describe('what the engine refuses', () => {
  const bad = (id: string) => id.startsWith('bad')
  const idOf = ({ subject }: Observation) => subjectKey(subject)
  const refusing =
    (pushed: string[], calls: string[][], code = 'bad-message'): Session['observe'] =>
    async (batch) => {
      calls.push(batch.map(idOf))
      if (batch.some((one) => bad(idOf(one)))) throw new RefusedError(code, 'not valid')
      pushed.push(...batch.map(idOf))
    }

  it.each(['bad-message', 'internal'])('(%s) is found one by one, and holds up nothing else', async (code) => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    const { current, outbox, put, session } = world(refusing(pushed, calls, code), slow)
    const good = Array.from({ length: 10 }, (_, i) => `good-${i}`)
    for (const id of ['bad-1', ...good.slice(0, 5), 'bad-2', ...good.slice(5)]) put(seen(id, 'UP'))
    current.set(session)
    await eventually(() => expect(pushed.toSorted()).toEqual(good))
    expect(calls[0]).toHaveLength(12)
    expect(calls.slice(1).every((call) => call.length === 1)).toBe(true)
    expect(outbox.size).toBe(2)
  })

  it('does not hold up what comes after it, which travels together as ever', async () => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    const { current, put, session } = world(refusing(pushed, calls), slow)
    put(seen('bad', 'UP'))
    current.set(session)
    await eventually(() => expect(calls).toEqual([['bad']]))
    for (const id of ['a', 'b', 'c']) put(seen(id, 'UP'))
    await eventually(() => expect(pushed).toEqual(['a', 'b', 'c']))
    expect(calls).toEqual([['bad'], ['a', 'b', 'c']])
  })

  it('does not hold up what was refused together with a later one', async () => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    const { current, put, session } = world(refusing(pushed, calls), slow)
    put(seen('bad-1', 'UP'))
    current.set(session)
    await eventually(() => expect(calls).toHaveLength(1))
    for (const id of ['bad-2', 'a', 'b']) put(seen(id, 'UP'))
    await eventually(() => expect(pushed).toEqual(['a', 'b']))
  })

  it('is tried again at once when it changes, and when there is another session', async () => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    const { current, outbox, put, session } = world(refusing(pushed, calls), slow)
    put(seen('bad', 'DOWN'))
    current.set(session)
    await eventually(() => expect(calls).toHaveLength(1))
    put(seen('bad', 'UP'))
    await eventually(() => expect(calls).toHaveLength(2))
    current.set({ ...session, epoch: 2, observe: async (batch) => void pushed.push(...batch.map(idOf)) })
    await eventually(() => expect(pushed).toEqual(['bad']))
    expect(outbox.size).toBe(0)
  })

  it('in great number does not become a storm of calls', async () => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    const { current, put, session } = world(refusing(pushed, calls), slow)
    for (let i = 0; i < 400; i += 1) put(seen(`bad-${i}`, 'UP'))
    current.set(session)
    await eventually(() => expect(calls.length).toBeGreaterThan(3))
    expect(calls.length).toBeLessThan(6)
    put(seen('good', 'UP'))
    await eventually(() => expect(pushed).toEqual(['good']))
    expect(calls.length).toBeLessThan(7)
  })

  it.each(['unavailable', 'fenced'])('because it is %s is the fault of no item', async (code) => {
    const [pushed, calls]: [string[], string[][]] = [[], []]
    let refusals = 0
    const { current, put, session } = world(async (batch) => {
      calls.push(batch.map(idOf))
      refusals += 1
      if (refusals === 1) throw new RefusedError(code, 'not now')
      pushed.push(...batch.map(idOf))
    })
    for (const id of ['a', 'b', 'c']) put(seen(id, 'UP'))
    current.set(session)
    await eventually(() => expect(pushed).toEqual(['a', 'b', 'c']))
    expect(calls).toHaveLength(2)
  })
})
