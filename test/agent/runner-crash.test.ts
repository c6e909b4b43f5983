import 'reflect-metadata'
import { openJournal } from '../../src/agent/journal.js'
import { silentLogger } from '../../src/agent/logger.js'
import { Runner, type RunnerStep } from '../../src/agent/runner.js'
import type { CommandMessage } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'
import { command, resetCommand } from './support/commands.js'
import { CrashAt } from './support/crash.js'
import { ScriptedHandlers } from './support/handlers.js'
import { ScriptedPlane } from './support/plane.js'
import { temporaryDirectory } from './support/temporary.js'

/** One life of an agent on a state directory, up to the crash if it meets one. */
async function live(directory: string, step: RunnerStep | 'never', plane: ScriptedPlane, handlers: ScriptedHandlers) {
  const journal = await openJournal(directory, silentLogger)
  const crash = new CrashAt(step)
  const runner = new Runner({
    journal,
    handlers: handlers.table,
    current: plane.current,
    logger: silentLogger,
    heldGeneration: () => undefined,
    hooks: crash,
    backoff: { baseMs: 5, maxMs: 20 },
  })
  return { runner, journal, crash }
}

/** First life until the crash; second life, in which the plane sends again what it has no report of. */
async function crashAndReturn(step: RunnerStep, sent: CommandMessage, again: CommandMessage) {
  const directory = await temporaryDirectory()
  const handlers = new ScriptedHandlers()
  const before = new ScriptedPlane()
  before.connect(1)
  const first = await live(directory, step, before, handlers)
  first.runner.accept(sent)
  await eventually(() => expect(first.crash.reached).toBe(true))
  // A dead process says nothing more and hears nothing more.
  before.disconnect()
  await first.journal.close()

  const after = new ScriptedPlane()
  const second = await live(directory, 'never', after, handlers)
  after.connect(2)
  second.runner.accept(again)
  const report = await eventually(() => {
    const found = after.reportOf(sent.id) ?? before.reportOf(sent.id)
    expect(found).toBeDefined()
    return found!
  })
  await eventually(() => expect([...second.journal.entries()].filter(({ id }) => id === sent.id)).toEqual([]))
  await second.runner.stop(100)
  await second.journal.close()
  return { report, acted: handlers.acted.length, permitsAsked: after.permitsAsked.length }
}

describe('a level command over a crash of the agent', () => {
  it.each([
    ['received', 1],
    ['acted', 2],
    ['done', 1],
    ['reported', 1],
  ] as const)('after it was %s ends well, having been said %d times', async (step, times) => {
    const sent = command()
    const { report, acted } = await crashAndReturn(step, sent, { ...sent, epoch: 2 })
    expect(report.state).toBe('succeeded')
    expect(acted).toBe(times)
  })
})

describe('a once command over a crash of the agent', () => {
  it.each(['received', 'permitted'] as const)('after it was %s is carried on with, and acts once', async (step) => {
    const sent = resetCommand()
    const redelivered = { ...sent, epoch: 2, permitted: step === 'permitted' }
    const { report, acted, permitsAsked } = await crashAndReturn(step, sent, redelivered)
    expect(report.state).toBe('succeeded')
    expect(acted).toBe(1)
    expect(permitsAsked).toBe(1)
  })

  it.each([
    ['started', 0],
    ['acted', 1],
  ] as const)('after it was %s ends interrupted, and is never run again', async (step, times) => {
    const sent = resetCommand()
    const { report, acted } = await crashAndReturn(step, sent, { ...sent, epoch: 2, permitted: true })
    expect(report).toMatchObject({ state: 'failed', fault: { type: 'interrupted' } })
    expect(acted).toBe(times)
  })

  it.each(['done', 'reported'] as const)('after it was %s is reported as it ended', async (step) => {
    const sent = resetCommand()
    const { report, acted } = await crashAndReturn(step, sent, { ...sent, epoch: 2, permitted: true })
    expect(report.state).toBe('succeeded')
    expect(acted).toBe(1)
  })
})

describe('after a restart', () => {
  it('what was received and not started waits until the plane sends it again', async () => {
    const directory = await temporaryDirectory()
    const handlers = new ScriptedHandlers()
    const journal = await openJournal(directory, silentLogger)
    await journal.received(command())
    await journal.close()
    const plane = new ScriptedPlane()
    const { runner, journal: again } = await live(directory, 'never', plane, handlers)
    plane.connect(2)
    // A command that ends tells that the runner is at work.
    const other = command({ subject: 'storage-connection/other' })
    runner.accept(other)
    await eventually(() => expect(plane.reportOf(other.id)).toBeDefined())
    expect(handlers.acted.map(({ subject }) => subject)).toEqual(['storage-connection/other'])
    await again.close()
  })

  it('an older command that comes late is superseded by what was carried out before', async () => {
    const directory = await temporaryDirectory()
    const handlers = new ScriptedHandlers()
    const [older, newer] = [command(), command({ generation: 2 })]
    const journal = await openJournal(directory, silentLogger)
    await journal.received(newer)
    await journal.done(newer.id, { state: 'succeeded' })
    await journal.forgotten([newer.id])
    await journal.close()
    const plane = new ScriptedPlane()
    const { runner, journal: again } = await live(directory, 'never', plane, handlers)
    plane.connect(2)
    runner.accept(older)
    await eventually(() => expect(plane.reportOf(older.id)?.state).toBe('superseded'))
    expect(handlers.acted).toEqual([])
    await again.close()
  })

  it('an epoch that was fenced before is still refused', async () => {
    const directory = await temporaryDirectory()
    const journal = await openJournal(directory, silentLogger)
    await journal.sawEpoch(9)
    await journal.close()
    const handlers = new ScriptedHandlers()
    const plane = new ScriptedPlane()
    const { runner, journal: again } = await live(directory, 'never', plane, handlers)
    plane.connect(9)
    const [old, current] = [command({ epoch: 8 }), command({ epoch: 9, subject: 'storage-connection/other' })]
    runner.accept(old)
    runner.accept(current)
    await eventually(() => expect(plane.reportOf(current.id)).toBeDefined())
    expect(handlers.acted.map(({ subject }) => subject)).toEqual(['storage-connection/other'])
    await again.close()
  })
})
