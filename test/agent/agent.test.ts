import 'reflect-metadata'
import { mkdir, rm, stat } from 'node:fs/promises'
import { join } from 'node:path'
import { readIdentity } from '../../src/agent/identity.js'
import { leaveAgent } from '../../src/agent/leave.js'
import { silentLogger } from '../../src/agent/logger.js'
import { readAgentStatus } from '../../src/agent/status.js'
import { commandKinds, storageSubject } from '../../src/wire/commands.js'
import { digestOf } from '../../src/wire/digest.js'
import { eventually } from '../support/eventually.js'
import { agentForTest, configFor, engineForTest } from './support/agent.js'
import { command, resetCommand } from './support/commands.js'
import type { FakeEngine } from './support/fake-engine.js'
import { temporaryDirectory } from './support/temporary.js'

const intent = (path: string) => ({ connectionId: 'c1', uri: `local://${path}`, options: {} })

function lastStatus(engine: FakeEngine): string | undefined {
  return engine.observations.at(-1)?.status
}

async function managed(directory: string) {
  const engine = await engineForTest()
  const config = await configFor(engine)
  const agent = await agentForTest(config)
  await eventually(() => expect(engine.session.ready).toBe(true))
  const manage = command({ payload: intent(directory) })
  engine.command(manage)
  await eventually(() => expect(lastStatus(engine)).toBe('UP'))
  return { engine, config, agent, manage }
}

describe('an agent', () => {
  it('says who it is and what it can do', async () => {
    const engine = await engineForTest()
    const config = await configFor(engine)
    await agentForTest(config)
    await eventually(() => expect(engine.hellos).toHaveLength(1))
    expect(engine.hellos[0]).toMatchObject({ epoch: 0, incarnation: null })
    expect(engine.session.hostId).toBe((await readIdentity(config.stateDir))?.hostId)
    expect(engine.hellos[0]?.kinds).toEqual(Object.keys(commandKinds))
    expect(engine.hellos[0]?.capabilities).toContain('storage:local')
    expect(engine.hellos[0]?.capabilities.includes('storage:posix')).toBe(process.getuid?.() === 0)
  })

  it('keeps a connection, follows what becomes of it, resets it and lets it go', async () => {
    const directory = await temporaryDirectory()
    const { engine, manage } = await managed(directory)
    expect(engine.reports).toEqual([
      { commandId: manage.id, seq: manage.seq, state: 'succeeded', result: { target: `local://${directory}` } },
    ])
    await rm(directory, { recursive: true })
    await eventually(() =>
      expect(engine.observations.at(-1)).toMatchObject({ status: 'DOWN', fault: { type: 'connect' } }),
    )
    await mkdir(directory)
    await eventually(() => expect(lastStatus(engine)).toBe('UP'))

    const reset = resetCommand()
    engine.command(reset)
    await eventually(() =>
      expect(engine.reports.at(-1)).toMatchObject({ commandId: reset.id, result: { status: 'UP' } }),
    )

    const unmanage = command({ kind: 'storage.unmanage', payload: { connectionId: 'c1' }, generation: 2 })
    engine.command(unmanage)
    await eventually(() =>
      expect(engine.reports.at(-1)).toMatchObject({ commandId: unmanage.id, result: { outcome: 'released' } }),
    )
  })

  it('answers a command that it cannot read', async () => {
    const engine = await engineForTest()
    await agentForTest(await configFor(engine))
    await eventually(() => expect(engine.session.ready).toBe(true))
    const unreadable = command({ subject: 'no subject' })
    engine.command(unreadable)
    await eventually(() =>
      expect(engine.reports).toMatchObject([
        { commandId: unreadable.id, seq: unreadable.seq, state: 'failed', fault: { type: 'bad-message' } },
      ]),
    )
  })

  it('comes back as the same one, with all that it holds and all that it has seen', async () => {
    const directory = await temporaryDirectory()
    const { engine, config, agent, manage } = await managed(directory)
    await agent.stop('stopping')
    expect(engine.session.closed).toBe('stopping')
    await agentForTest(config)
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2))
    const [before, after] = engine.hellos
    expect(after).toMatchObject({ agentId: before?.agentId, incarnation: 'incarnation-a', epoch: 1, seq: manage.seq })
    expect(engine.session.inventory).toMatchObject([
      {
        subject: storageSubject('c1'),
        generation: 1,
        origin: 'plane',
        digest: digestOf({ uri: `local://${directory}`, options: {} }),
        detail: { uri: `local://${directory}`, target: `local://${directory}` },
      },
    ])
    await eventually(() => expect(lastStatus(engine)).toBe('UP'))
  })

  it('forgets nothing when the plane comes back on another incarnation of its database', async () => {
    const { engine } = await managed(await temporaryDirectory())
    engine.welcome = { ...engine.welcome, incarnation: 'incarnation-b' }
    engine.dropConnections()
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2))
    expect(engine.session.inventory).toHaveLength(1)
    engine.dropConnections()
    await eventually(() => expect(engine.hellos[2]?.incarnation).toBe('incarnation-b'))
  })

  it('finds the replicas that it was told of also after a restart', async () => {
    const [first, second] = [await engineForTest(), await engineForTest({ epoch: 10 })]
    first.welcome = { addresses: [`127.0.0.1:${second.port}`] }
    const config = await configFor(first)
    const agent = await agentForTest(config)
    await eventually(() => expect(first.session.ready).toBe(true))
    await eventually(() => stat(join(config.stateDir, 'addresses.json')))
    await agent.stop('stopping')
    await agentForTest({ ...config, engines: [{ host: '127.0.0.1', port: 1 }] })
    await eventually(() => expect(second.session.ready).toBe(true))
  })

  it('is refused on a state directory where another one runs, which goes on', async () => {
    const { engine, config } = await managed(await temporaryDirectory())
    await expect(agentForTest(config)).rejects.toMatchObject({ exitCode: 73 })
    const again = command({
      payload: { connectionId: 'c2', uri: 'local:///', options: {} },
      subject: storageSubject('c2'),
    })
    engine.command(again)
    await eventually(() =>
      expect(engine.reports.at(-1)).toMatchObject({ commandId: again.id, fault: { type: 'bad-arguments' } }),
    )
  })
})

describe('agent status', () => {
  it('asks the running agent', async () => {
    const directory = await temporaryDirectory()
    const { engine, config, manage } = await managed(directory)
    await eventually(async () =>
      expect(await readAgentStatus(config.stateDir)).toMatchObject({
        agent: 'running',
        name: 'h1',
        agentId: engine.hellos[0]?.agentId,
        epoch: 1,
        session: { state: 'connected', address: `127.0.0.1:${engine.port}`, epoch: 1 },
        queue: { queued: 0, acting: 0, reporting: 0 },
        journal: { seq: manage.seq, marks: 1, entries: { received: 0, started: 0, done: 0 } },
        holds: { connections: [{ connectionId: 'c1', target: `local://${directory}`, status: 'UP' }], leaving: [] },
      }),
    )
    expect((await stat(join(config.stateDir, 'agent.sock'))).mode & 0o777).toBe(0o600)
  })

  it('reads the state directory when no agent runs', async () => {
    const { engine, config, agent, manage } = await managed(await temporaryDirectory())
    await agent.stop('stopping')
    expect(await readAgentStatus(config.stateDir)).toMatchObject({
      agent: 'not-running',
      agentId: engine.hellos[0]?.agentId,
      epoch: 1,
      session: null,
      journal: { seq: manage.seq },
      holds: { connections: [{ connectionId: 'c1', status: 'UNKNOWN' }] },
    })
  })

  it('names a directory that no agent has used', async () => {
    await expect(readAgentStatus('/nowhere/at/all')).rejects.toMatchObject({ exitCode: 73 })
  })

  it('works where the state directory lies too deep for a socket address', async () => {
    const engine = await engineForTest()
    const stateDir = join(await temporaryDirectory(), 'x'.repeat(60), 'y'.repeat(60))
    const agent = await agentForTest(await configFor(engine, { stateDir }))
    expect(await readAgentStatus(stateDir)).toMatchObject({ agent: 'running' })
    await agent.stop('stopping')
    expect(await readAgentStatus(stateDir)).toMatchObject({ agent: 'not-running' })
  })
})

describe('leaving', () => {
  it('is refused while something is held, and done by force', async () => {
    const { engine, config } = await managed(await temporaryDirectory())
    await expect(leaveAgent(config, silentLogger, { force: false })).rejects.toThrow(
      'still holds 1 storage connections: c1',
    )
    expect(engine.session.closed).toBeNull()
    await leaveAgent(config, silentLogger, { force: true })
    expect(engine.session.closed).toBe('leaving')
    expect(await readAgentStatus(config.stateDir)).toMatchObject({ agent: 'not-running' })
  })

  it('tells the engine also when no agent runs', async () => {
    const engine = await engineForTest()
    const config = await configFor(engine)
    await (await agentForTest(config)).stop('stopping')
    await leaveAgent(config, silentLogger, { force: false })
    expect(engine.session.closed).toBe('leaving')
  })
})
