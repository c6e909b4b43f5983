import 'reflect-metadata'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { resetCommand } from '../agent/support/commands.js'
import { temporaryDirectory } from '../agent/support/temporary.js'
import { eventually } from '../support/eventually.js'
import { engineForTest, manage, PATIENCE, reportOf, session, shows } from './support/engine.js'
import { simulate } from './support/simulation.js'

describe('a simulated host', () => {
  it('carries out what it is asked, and shows it', async () => {
    const engine = await engineForTest()
    const simulation = await simulate(engine.address)
    await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'succeeded', result: { target: 'local:///srv/c1' } })
    await shows(engine, 'c1', 'UP')
    const reset = resetCommand()
    engine.command(reset)
    expect(await reportOf(engine, reset)).toMatchObject({ state: 'succeeded', result: { status: 'UP' } })
    expect(simulation.hosts[0]?.inventory()).toMatchObject([{ subject: 'storage-connection/c1', status: 'UP' }])
    expect(simulation.summary()).toMatchObject({ hosts: 1, connected: 1, statistics: { handled: 2 } })
  })

  it('answers a command that it cannot read', async () => {
    const engine = await engineForTest()
    await simulate(engine.address)
    await session(engine)
    const sent = manage('c1', { subject: 'no subject' })
    engine.command(sent)
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'failed', fault: { type: 'bad-message' } })
  })

  it('is one of many in a process, each with a name and an identity of its own', async () => {
    const engine = await engineForTest()
    // fifty handshakes at both ends of one process are longer than the silence of the other tests
    engine.welcome = { ...engine.welcome, silenceMs: 10_000 }
    const simulation = await simulate(engine.address, {}, { hosts: 50, namePrefix: 'rack-' })
    await eventually(() => expect(simulation.summary().connected).toBe(50), PATIENCE)
    expect(new Set(engine.hellos.map(({ facts }) => facts.hostname)).size).toBe(50)
    expect(new Set(engine.hellos.map(({ agentId }) => agentId)).size).toBe(50)
    expect(engine.hellos.map(({ facts }) => facts.hostname)).toContain('rack-50')
    await simulation.stop()
    expect(engine.sessions.map(({ closed }) => closed)).toEqual(engine.sessions.map(() => 'stopping'))
  })

  it('has the same identity in the next simulation', async () => {
    const engine = await engineForTest()
    const first = await simulate(engine.address)
    await session(engine)
    await first.stop()
    await simulate(engine.address)
    await session(engine, 2)
    expect(engine.hellos[1]?.agentId).toBe(engine.hellos[0]?.agentId)
  })

  it('keeps what it holds over the end of the process when it has a directory', async () => {
    const engine = await engineForTest()
    const stateDir = await temporaryDirectory()
    const first = await simulate(engine.address, {}, { stateDir })
    await session(engine)
    const sent = manage('c1', { generation: 3 })
    engine.command(sent)
    await reportOf(engine, sent)
    await first.stop()
    await simulate(engine.address, {}, { stateDir })
    const { hello, inventory } = await session(engine, 2)
    expect(hello).toMatchObject({ agentId: engine.hellos[0]?.agentId, seq: sent.seq, epoch: 1 })
    expect(inventory).toMatchObject([{ subject: 'storage-connection/c1', generation: 3 }])
  })

  it('logs each step of each command', async () => {
    const engine = await engineForTest()
    const commandLog = join(await temporaryDirectory(), 'commands.ndjson')
    const simulation = await simulate(engine.address, {}, { commandLog })
    await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    await eventually(() => expect(simulation.summary().statistics.reportsAcknowledged).toBe(1), PATIENCE)
    await simulation.stop()
    const lines = (await readFile(commandLog, 'utf8')).trim().split('\n')
    const steps = lines.map((line) => JSON.parse(line))
    expect(steps.map(({ step }) => step)).toEqual(['accepted', 'acting', 'ended', 'reported'])
    expect(steps).toEqual(
      steps.map(() => expect.objectContaining({ host: 'sim-1', commandId: sent.id, seq: sent.seq, epoch: 1 })),
    )
    expect(steps.at(-1).state).toBe('succeeded')
  })
})

describe('slow', () => {
  it('delays the handler by that long, for the kinds that it names', async () => {
    const engine = await engineForTest()
    await simulate(engine.address, {
      rules: [{ fault: 'slow', kinds: ['storage.manage'], params: { delayMs: 1_000 } }],
    })
    await session(engine)
    const [slow, swift] = [manage('c1'), manage('c2', { kind: 'storage.unmanage', payload: { connectionId: 'c2' } })]
    const startedMs = performance.now()
    engine.command(slow)
    engine.command(swift)
    await reportOf(engine, slow)
    expect(performance.now() - startedMs).toBeGreaterThan(990)
    expect(engine.reports.map(({ commandId }) => commandId)).toEqual([swift.id, slow.id])
  })

  it('is ended by the deadline of the command', async () => {
    const engine = await engineForTest()
    await simulate(engine.address, { rules: [{ fault: 'slow', params: { delayMs: 60_000 } }] })
    await session(engine)
    const sent = manage('c1', { remainingMs: 50 })
    engine.command(sent)
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'failed', fault: { type: 'deadline' } })
  })
})

describe('refuse', () => {
  it('fails commands with the fault of the scenario, and has no effect', async () => {
    const engine = await engineForTest()
    const simulation = await simulate(engine.address, {
      rules: [{ fault: 'refuse', params: { type: 'mount', message: 'wrong fs type', number: 477 } }],
    })
    await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    const fault = { type: 'mount', message: 'wrong fs type', number: 477 }
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'failed', fault })
    expect(simulation.hosts[0]?.inventory()).toEqual([])
    expect(simulation.summary().statistics.faults).toEqual({ refuse: 1 })
  })

  it('strikes the same commands for the same seed', async () => {
    const outcomes = async (seed: number) => {
      const engine = await engineForTest()
      const simulation = await simulate(engine.address, { rules: [{ fault: 'refuse', probability: 0.5 }] }, { seed })
      await session(engine)
      const states: string[] = []
      for (let number = 1; number <= 12; number += 1) {
        const sent = manage(`c${number}`)
        engine.command(sent)
        states.push((await reportOf(engine, sent)).state)
      }
      await simulation.stop()
      return states
    }
    const [first, second, other] = [await outcomes(5), await outcomes(5), await outcomes(6)]
    expect(second).toEqual(first)
    expect(new Set(first)).toEqual(new Set(['succeeded', 'failed']))
    expect(other).not.toEqual(first)
  })
})

describe('repeat', () => {
  it('sends reports twice, and again on the next session', async () => {
    const engine = await engineForTest()
    await simulate(engine.address, { rules: [{ fault: 'repeat' }] })
    await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    const times = () => engine.reports.filter(({ commandId }) => commandId === sent.id).length
    await eventually(() => expect(times()).toBe(2), PATIENCE)
    engine.dropConnections()
    await eventually(() => expect(times()).toBe(3), PATIENCE)
  })
})

describe('reorder', () => {
  it('reports all that was done, in another order', async () => {
    const engine = await engineForTest()
    await simulate(engine.address, { rules: [{ fault: 'reorder' }] })
    await session(engine)
    const sent = Array.from({ length: 12 }, (_, index) => manage(`c${index}`))
    for (const one of sent) engine.command(one)
    await eventually(() => expect(new Set(engine.reports.map(({ seq }) => seq)).size).toBe(sent.length), PATIENCE)
    const order = engine.reports.map(({ seq }) => seq)
    expect(order).not.toEqual(order.toSorted((a, b) => a - b))
  })
})

describe('old-protocol', () => {
  it('says hello as an older agent with fewer kinds and tools', async () => {
    const engine = await engineForTest()
    await simulate(
      engine.address,
      {
        rules: [
          {
            hosts: 'sim-1',
            fault: 'old-protocol',
            params: { protocol: 0, kinds: ['storage.manage'], capabilities: ['storage:local'] },
          },
        ],
      },
      { hosts: 2 },
    )
    await eventually(() => expect(engine.hellos).toHaveLength(2), PATIENCE)
    const byName = Object.fromEntries(engine.hellos.map((hello) => [hello.facts.hostname, hello]))
    expect(byName['sim-1']).toMatchObject({
      protocol: 0,
      kinds: ['storage.manage'],
      capabilities: ['storage:local'],
    })
    expect(byName['sim-2']).toMatchObject({ protocol: 1 })
    expect(byName['sim-2']?.capabilities).toEqual(expect.arrayContaining(['storage:local', 'storage:posix']))
  })
})
