import 'reflect-metadata'
import { randomUUID } from 'node:crypto'
import { FaultError } from '../../src/agent/fault.js'
import { type Journal, memoryJournal } from '../../src/agent/journal.js'
import { silentLogger } from '../../src/agent/logger.js'
import { Runner, type RunnerOptions } from '../../src/agent/runner.js'
import { storageSubject } from '../../src/wire/commands.js'
import { Reports } from '../../src/wire/session.js'
import { parseWire } from '../../src/wire/validate.js'
import { eventually } from '../support/eventually.js'
import { command, resetCommand } from './support/commands.js'
import { Gate } from './support/gate.js'
import { ScriptedHandlers } from './support/handlers.js'
import { recordingLogger } from './support/log.js'
import { ScriptedPlane } from './support/plane.js'

const fast = { baseMs: 5, maxMs: 20 }

interface World {
  readonly runner: Runner
  readonly plane: ScriptedPlane
  readonly handlers: ScriptedHandlers
  readonly journal: Journal
}

function world(options: Partial<RunnerOptions> = {}): World {
  const plane = new ScriptedPlane()
  const handlers = new ScriptedHandlers()
  const journal = options.journal ?? memoryJournal()
  const runner = new Runner({
    journal,
    handlers: handlers.table,
    current: plane.current,
    logger: silentLogger,
    heldGeneration: () => undefined,
    backoff: fast,
    ...options,
  })
  plane.connect()
  return { runner, plane, handlers, journal }
}

const on = (id: string, overrides: Parameters<typeof command>[0] = {}) =>
  command({
    subject: storageSubject(id),
    payload: { connectionId: id, uri: 'local:///srv', options: {} },
    ...overrides,
  })

describe('a command', () => {
  it('is carried out, reported and forgotten', async () => {
    const { runner, plane, handlers, journal } = world()
    const one = command()
    runner.accept(one)
    await eventually(() =>
      expect(plane.recorded).toEqual([
        { commandId: one.id, seq: one.seq, state: 'succeeded', result: { target: 'local:///srv' } },
      ]),
    )
    expect(handlers.acted).toHaveLength(1)
    await eventually(() => expect([...journal.entries()]).toEqual([]))
    expect(journal.markOf(one.subject)).toBe(one.seq)
  })

  it('of an epoch lower than one that was seen is dropped without a word to the plane', async () => {
    const logger = recordingLogger()
    const { runner, plane, handlers } = world({ logger })
    runner.accept(on('a', { epoch: 5 }))
    runner.accept(on('b', { epoch: 4 }))
    await eventually(() => expect(plane.recorded).toHaveLength(1))
    expect(handlers.acted.map(({ subject }) => subject)).toEqual([storageSubject('a')])
    expect(logger.lines.map(({ message }) => message)).toContain('command of a fenced session: dropped')
  })

  it('that comes twice while it runs is run once', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    handlers.act = () => gate.passed
    const one = command()
    for (let i = 0; i < 5; i += 1) runner.accept(one)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    runner.accept({ ...one, epoch: 2 })
    gate.open()
    await eventually(() => expect(plane.recorded).toHaveLength(1))
    expect(handlers.acted).toHaveLength(1)
  })

  it('that has ended and comes again before its report was recorded is reported again, not run', async () => {
    const { runner, plane, handlers } = world()
    plane.disconnect()
    const one = command()
    runner.accept(one)
    await eventually(() => expect(runner.queue).toEqual({ queued: 0, acting: 0, reporting: 1 }))
    runner.accept(one)
    plane.connect(2)
    await eventually(() => expect(plane.recorded).toHaveLength(1))
    expect(handlers.acted).toHaveLength(1)
  })

  it('that was forgotten and comes again is superseded, and does not resurrect what was removed', async () => {
    const { runner, plane, handlers, journal } = world()
    const manage = command()
    const unmanage = command({ kind: 'storage.unmanage', payload: { connectionId: 'c1' }, generation: 2 })
    runner.accept(manage)
    runner.accept(unmanage)
    await eventually(() => expect(plane.recorded).toHaveLength(2))
    await eventually(() => expect([...journal.entries()]).toEqual([]))
    const acted = handlers.acted.length
    runner.accept(manage)
    await eventually(() => expect(plane.recorded).toHaveLength(3))
    expect(plane.recorded[2]).toMatchObject({ commandId: manage.id, state: 'superseded' })
    expect(handlers.acted).toHaveLength(acted)
  })

  it('that was forgotten and may act once only asks for no second permit', async () => {
    const { runner, plane, handlers, journal } = world()
    const reset = resetCommand()
    runner.accept(reset)
    await eventually(() => expect(plane.recorded).toHaveLength(1))
    await eventually(() => expect([...journal.entries()]).toEqual([]))
    runner.accept(reset)
    await eventually(() => expect(plane.recorded[1]).toMatchObject({ state: 'superseded' }))
    expect(plane.permitsAsked).toEqual([reset.id])
    expect(handlers.acted).toHaveLength(1)
  })

  it('at or below the floor is superseded', async () => {
    const { runner, plane, handlers } = world()
    const one = command()
    runner.raiseFloor(one.seq)
    runner.accept(one)
    await eventually(() => expect(plane.reportOf(one.id)).toMatchObject({ state: 'superseded' }))
    expect(handlers.acted).toEqual([])
  })

  it('that was permitted and is not known ends interrupted, and is not run', async () => {
    const { runner, plane, handlers } = world()
    const one = resetCommand({ permitted: true })
    runner.accept(one)
    await eventually(() => expect(plane.reportOf(one.id)?.fault?.type).toBe('interrupted'))
    expect(handlers.acted).toEqual([])
  })

  it('of an unknown kind ends unsupported', async () => {
    const { runner, plane } = world()
    const one = command({ kind: 'guests.dance' })
    runner.accept(one)
    await eventually(() =>
      expect(plane.reportOf(one.id)).toMatchObject({ state: 'failed', fault: { type: 'unsupported' } }),
    )
  })

  it.each([
    ['a field of another type', { connectionId: 7, uri: 'local:///srv', options: {} }],
    ['a missing field', { connectionId: 'c1' }],
    ['an id with a slash', { connectionId: 'a/b', uri: 'local:///srv', options: {} }],
  ])('with %s ends bad-payload', async (_what, payload) => {
    const { runner, plane, handlers } = world()
    const one = command({ payload })
    runner.accept(one)
    await eventually(() => expect(plane.reportOf(one.id)?.fault?.type).toBe('bad-payload'))
    expect(handlers.acted).toEqual([])
  })

  it('of a lower generation than the host holds is superseded', async () => {
    const { runner, plane, handlers } = world({ heldGeneration: () => 3 })
    const one = command({ generation: 2 })
    runner.accept(one)
    await eventually(() => expect(plane.reportOf(one.id)?.state).toBe('superseded'))
    expect(handlers.acted).toEqual([])
  })

  it('that fails is reported with the type, the words and the number of its fault', async () => {
    const { runner, plane, handlers } = world()
    handlers.act = async () => {
      throw new FaultError('mount', 'wrong fs type', 477)
    }
    const one = command()
    runner.accept(one)
    await eventually(() =>
      expect(plane.reportOf(one.id)).toMatchObject({
        state: 'failed',
        fault: { type: 'mount', message: 'wrong fs type', number: 477 },
      }),
    )
  })

  it('whose handler breaks ends internal', async () => {
    const { runner, plane, handlers } = world()
    handlers.act = async () => {
      throw new TypeError('x is not a function')
    }
    const one = command()
    runner.accept(one)
    await eventually(() =>
      expect(plane.reportOf(one.id)?.fault).toEqual({ type: 'internal', message: 'x is not a function' }),
    )
  })
})

describe('a command that cannot be read', () => {
  const unread = new Error('subject must match')

  it('ends bad-message with what is wrong, without acting; said again until the plane has it', async () => {
    const { runner, plane, handlers, journal } = world()
    let calls = 0
    plane.take = async (reports) => {
      calls += 1
      return calls < 3 ? [] : reports.map(({ commandId }) => commandId)
    }
    const { id, seq } = command()
    runner.refuse({ id, seq }, unread)
    runner.refuse({ id, seq }, unread)
    await eventually(() => expect(plane.recorded).toHaveLength(1))
    expect(plane.recorded).toEqual([
      { commandId: id, seq, state: 'failed', fault: { type: 'bad-message', message: 'subject must match' } },
    ])
    expect(handlers.acted).toEqual([])
    expect(journal.seq).toBe(seq)
  })

  it('changes nothing about one that was read before, and is on its way or has ended', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    handlers.act = () => gate.passed
    const one = command()
    runner.accept(one)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    runner.refuse(one, unread)
    plane.disconnect()
    gate.open()
    await eventually(() => expect(runner.queue.reporting).toBe(1))
    runner.refuse(one, unread)
    plane.connect(2)
    await eventually(() => expect(plane.recorded).toMatchObject([{ commandId: one.id, state: 'succeeded' }]))
  })

  it('ends also where an earlier life had read it and not come to it', async () => {
    const journal = memoryJournal()
    const one = command()
    await journal.received(one)
    const { runner, plane } = world({ journal })
    runner.refuse(one, unread)
    await eventually(() => expect(plane.reportOf(one.id)?.fault?.type).toBe('bad-message'))
    await eventually(() => expect([...journal.entries()]).toEqual([]))
  })

  it('is superseded at or below the floor', async () => {
    const { runner, plane } = world()
    const one = command()
    runner.raiseFloor(one.seq)
    runner.refuse(one, unread)
    await eventually(() => expect(plane.reportOf(one.id)?.state).toBe('superseded'))
  })
})

describe('order', () => {
  it('holds within a subject, while other subjects go on', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    handlers.act = ({ subject, generation }) =>
      subject === storageSubject('a') && generation === 1 ? gate.passed : Promise.resolve()
    const [first, second, other] = [on('a'), on('a', { generation: 2 }), on('b')]
    runner.accept(first)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    for (const one of [second, other]) runner.accept(one)
    await eventually(() => expect(plane.recorded.map(({ commandId }) => commandId)).toEqual([other.id]))
    expect(handlers.acted.filter(({ subject }) => subject === storageSubject('a'))).toHaveLength(1)
    gate.open()
    await eventually(() =>
      expect(plane.recorded.map(({ commandId }) => commandId)).toEqual([other.id, first.id, second.id]),
    )
  })

  it('acts on no more subjects at once than the limit, and comes to all of them', async () => {
    const { runner, plane, handlers } = world({ parallel: 3 })
    const gate = new Gate()
    handlers.act = () => gate.passed
    for (let i = 0; i < 20; i += 1) runner.accept(on(`c${i}`))
    await eventually(() => expect(runner.queue).toMatchObject({ acting: 3, queued: 17 }))
    gate.open()
    await eventually(() => expect(plane.recorded).toHaveLength(20))
    expect(handlers.mostAtOnce).toBe(3)
  })

  it('a newer level supersedes older ones that were not started, and not the one that was', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    handlers.act = ({ generation }) => (generation === 1 ? gate.passed : Promise.resolve())
    const commands = [1, 2, 3, 4].map((generation) => on('a', { generation }))
    runner.accept(commands[0]!)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    for (const one of commands.slice(1)) runner.accept(one)
    gate.open()
    await eventually(() => expect(plane.recorded).toHaveLength(4))
    const states = commands.map(({ id }) => plane.reportOf(id)?.state)
    expect(states).toEqual(['succeeded', 'superseded', 'superseded', 'succeeded'])
    expect(handlers.acted.map(({ generation }) => generation)).toEqual([1, 4])
  })

  it('a once command is never superseded by a level one', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    handlers.act = ({ generation }) => (generation === 1 ? gate.passed : Promise.resolve())
    const [first, reset, last] = [on('c1'), resetCommand(), on('c1', { generation: 2 })]
    runner.accept(first)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    for (const one of [reset, last]) runner.accept(one)
    gate.open()
    await eventually(() => expect(plane.recorded).toHaveLength(3))
    expect(handlers.acted.map(({ kind }) => kind)).toEqual(['storage.manage', 'storage.reset', 'storage.manage'])
  })
})

describe('time', () => {
  it('that has passed on arrival or while it waited ends a command expired, not run', async () => {
    let nowMs = 1000
    const { runner, plane, handlers } = world({ now: () => nowMs })
    const gate = new Gate()
    handlers.act = () => gate.passed
    const [late, first, waiting] = [
      on('a', { remainingMs: 0 }),
      on('b'),
      resetCommand({ subject: storageSubject('b'), payload: { connectionId: 'b' }, remainingMs: 500 }),
    ]
    for (const one of [late, first, waiting]) runner.accept(one)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    nowMs += 501
    gate.open()
    await eventually(() => expect(plane.recorded).toHaveLength(3))
    expect(plane.reportOf(late.id)?.fault?.type).toBe('expired')
    expect(plane.reportOf(waiting.id)?.fault?.type).toBe('expired')
    expect(handlers.acted).toHaveLength(1)
  })

  it('that passes while it runs aborts the handler, and the subject waits until the handler is really gone', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    let aborted = false
    handlers.act = ({ signal, generation }) => {
      signal.addEventListener('abort', () => {
        aborted = true
      })
      return generation === 1 ? gate.passed : Promise.resolve()
    }
    const [slow, next] = [on('a', { remainingMs: 30 }), on('a', { generation: 2 })]
    runner.accept(slow)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    runner.accept(next)
    await eventually(() => expect(plane.reportOf(slow.id)?.fault?.type).toBe('deadline'))
    expect(aborted).toBe(true)
    expect(handlers.acted).toHaveLength(1)
    gate.open()
    await eventually(() => expect(plane.reportOf(next.id)?.state).toBe('succeeded'))
  })
})

describe('a once command', () => {
  it('acts only after the plane has granted the start', async () => {
    const { runner, plane, handlers } = world()
    const gate = new Gate()
    plane.permit = async () => {
      await gate.passed
      return { granted: true }
    }
    const one = resetCommand()
    runner.accept(one)
    await eventually(() => expect(plane.permitsAsked).toEqual([one.id]))
    expect(handlers.acted).toEqual([])
    gate.open()
    await eventually(() => expect(plane.reportOf(one.id)?.state).toBe('succeeded'))
    expect(handlers.acted).toHaveLength(1)
  })

  it('asks again when a call fails, and on the next session when one ends', async () => {
    const { runner, plane, handlers } = world()
    let asked = 0
    plane.permit = async () => {
      asked += 1
      if (asked === 2) plane.disconnect()
      if (asked < 3) throw new Error('not answered')
      return { granted: true }
    }
    const one = resetCommand()
    runner.accept(one)
    await eventually(() => expect(asked).toBe(2))
    expect(handlers.acted).toEqual([])
    plane.connect(2)
    await eventually(() => expect(plane.reportOf(one.id)?.state).toBe('succeeded'))
    expect(handlers.acted).toHaveLength(1)
  })

  it('that is refused ends permit-refused with the reason', async () => {
    const { runner, plane, handlers } = world()
    plane.permit = async () => ({ granted: false, reason: 'maintenance' })
    const one = resetCommand()
    runner.accept(one)
    await eventually(() =>
      expect(plane.reportOf(one.id)?.fault).toEqual({ type: 'permit-refused', message: 'maintenance' }),
    )
    expect(handlers.acted).toEqual([])
  })

  it('asks again when the session that said no has ended meanwhile: no may have meant that', async () => {
    const { runner, plane, handlers } = world()
    plane.permit = async () => {
      if (plane.permitsAsked.length > 1) return { granted: true }
      plane.connect(2)
      return { granted: false, reason: 'not of this session' }
    }
    const one = resetCommand()
    runner.accept(one)
    await eventually(() => expect(plane.reportOf(one.id)?.state).toBe('succeeded'))
    expect(plane.permitsAsked).toEqual([one.id, one.id])
    expect(handlers.acted).toHaveLength(1)
  })

  it('that has ended in the plane is dropped, and can be heard of again', async () => {
    const { runner, plane, handlers, journal } = world()
    plane.permit = async () => ({ granted: false, reason: 'ended' })
    const one = resetCommand()
    runner.accept(one)
    await eventually(() => expect(plane.permitsAsked).toHaveLength(1))
    await eventually(() => expect([...journal.entries()]).toEqual([]))
    expect(plane.recorded).toEqual([])
    expect(handlers.acted).toEqual([])
  })

  it('that gets no answer in its time ends expired', async () => {
    const { runner, plane, handlers } = world()
    plane.disconnect()
    const one = resetCommand({ remainingMs: 40 })
    runner.accept(one)
    await eventually(() => expect(runner.queue.reporting).toBe(1))
    plane.connect(2)
    await eventually(() => expect(plane.reportOf(one.id)?.fault?.type).toBe('expired'))
    expect(handlers.acted).toEqual([])
  })

  it('that waits for a permit holds up no other subject', async () => {
    const { runner, plane, handlers } = world({ parallel: 1 })
    plane.permit = () => new Promise(() => undefined)
    runner.accept(resetCommand())
    const other = on('other')
    runner.accept(other)
    await eventually(() => expect(plane.reportOf(other.id)?.state).toBe('succeeded'))
    expect(handlers.acted).toHaveLength(1)
  })
})

describe('reports', () => {
  it('are repeated until the plane has recorded them, over sessions that come and go', async () => {
    const { runner, plane } = world()
    let calls = 0
    plane.take = async (reports) => {
      calls += 1
      if (calls === 1) throw new Error('no answer')
      if (calls === 2) return []
      if (plane.current.session?.epoch === 1) throw new Error('no answer')
      return reports.map(({ commandId }) => commandId)
    }
    const one = command()
    runner.accept(one)
    await eventually(() => expect(calls).toBeGreaterThan(2))
    expect(plane.recorded).toEqual([])
    plane.disconnect()
    plane.connect(2)
    await eventually(() => expect(plane.recorded).toHaveLength(1))
  })

  it('travel in batches that the wire class takes, one call at a time, and one that is never taken holds up no other', async () => {
    const { runner, plane, journal } = world()
    plane.disconnect()
    const stubborn = on('stubborn')
    const others = Array.from({ length: 150 }, (_, i) => on(`c${i}`))
    runner.accept(stubborn)
    for (const one of others) runner.accept(one)
    await eventually(() => expect(runner.queue.reporting).toBe(151))
    let inFlight = 0
    plane.take = async (reports) => {
      inFlight += 1
      expect(inFlight).toBe(1)
      parseWire(Reports, { epoch: 1, reports })
      await new Promise((resolve) => setImmediate(resolve))
      inFlight -= 1
      return reports.map(({ commandId }) => commandId).filter((id) => id !== stubborn.id)
    }
    plane.connect(2)
    await eventually(() => expect(plane.recorded).toHaveLength(150))
    expect(Math.max(...plane.batches)).toBeLessThanOrEqual(64)
    expect([...journal.entries()].map(({ id }) => id)).toEqual([stubborn.id])
  })
})

describe('stopping', () => {
  it('lets what runs come to its end and be reported, and starts nothing more', async () => {
    const { runner, plane, handlers, journal } = world()
    const gate = new Gate()
    handlers.act = () => gate.passed
    const [running, queued] = [on('a'), on('a', { generation: 2 })]
    runner.accept(running)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    runner.accept(queued)
    const stopped = runner.stop(5000)
    runner.accept(on('b'))
    gate.open()
    await stopped
    expect(plane.recorded.map(({ commandId }) => commandId)).toEqual([running.id])
    expect(handlers.acted).toHaveLength(1)
    expect(journal.entry(queued.id)).toMatchObject({ state: 'received' })
  })

  it('gives a handler that does not end no outcome: nobody knows it', async () => {
    const { runner, plane, handlers, journal } = world()
    handlers.act = ({ signal }) =>
      new Promise((_, reject) => signal.addEventListener('abort', () => reject(new Error('aborted'))))
    const one = resetCommand()
    runner.accept(one)
    await eventually(() => expect(handlers.acted).toHaveLength(1))
    await runner.stop(20)
    expect(plane.recorded).toEqual([])
    expect(journal.entry(one.id)).toMatchObject({ state: 'started' })
  })
})

it('what the plane has ended and nobody will send again is forgotten with the floor', async () => {
  const journal = memoryJournal()
  const waiting = command()
  await journal.received({ ...waiting, id: randomUUID() })
  const { runner } = world({ journal })
  runner.raiseFloor(waiting.seq)
  expect([...journal.entries()]).toEqual([])
})
