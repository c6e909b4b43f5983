import { storageSubject } from '../../../src/wire/commands.js'
import type { CommandMessage, Report } from '../../../src/wire/session.js'
import { command } from '../../agent/support/commands.js'
import { FakeEngine } from '../../agent/support/fake-engine.js'
import { eventually } from '../../support/eventually.js'

export const PATIENCE = { timeoutMs: 30_000 }
const engines: FakeEngine[] = []

export async function engineForTest(): Promise<FakeEngine> {
  const engine = await FakeEngine.start()
  engine.welcome = { settings: { 'storage.probeIntervalMs': 20 }, silenceMs: 400, heartbeatMs: 40 }
  engines.push(engine)
  return engine
}

/** Waits until the n-th session (from 1) has sent its whole inventory. */
export function session(engine: FakeEngine, number = 1) {
  return eventually(() => {
    const found = engine.sessions[number - 1]
    expect(found?.ready).toBe(true)
    return found!
  }, PATIENCE)
}

export function manage(connectionId: string, overrides: Partial<CommandMessage> = {}): CommandMessage {
  return command({
    subject: storageSubject(connectionId),
    payload: { connectionId, uri: `local:///srv/${connectionId}`, options: {} },
    ...overrides,
  })
}

export function reportOf(engine: FakeEngine, { id }: CommandMessage): Promise<Report> {
  return eventually(() => {
    const report = engine.reports.find(({ commandId }) => commandId === id)
    expect(report).toBeDefined()
    return report!
  }, PATIENCE)
}

/** Waits until the connection was last seen so. */
export async function shows(engine: FakeEngine, connectionId: string, status: string): Promise<void> {
  await eventually(() => {
    const seen = engine.observations.filter(({ subject }) => subject === storageSubject(connectionId)).at(-1)
    expect(seen?.status).toBe(status)
  }, PATIENCE)
}

afterEach(async () => {
  await Promise.all(engines.splice(0).map((engine) => engine.stop()))
})
