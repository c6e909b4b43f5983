import 'reflect-metadata'
import { eventually } from '../support/eventually.js'
import { engineForTest, manage, PATIENCE, reportOf, session, shows } from './support/engine.js'
import { simulate } from './support/simulation.js'

/** A simulated host that holds `c1` in generation 1. */
async function holdingOne(scenario: object = {}) {
  const engine = await engineForTest()
  const simulation = await simulate(engine.address, scenario)
  await session(engine)
  const sent = manage('c1')
  engine.command(sent)
  await reportOf(engine, sent)
  return { engine, sent, host: simulation.hosts[0]!, simulation }
}

describe('vanish', () => {
  it('drops the connection without a goodbye, and comes back with what it held', async () => {
    const engine = await engineForTest()
    const { hosts } = await simulate(engine.address)
    const first = await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    await reportOf(engine, sent)
    hosts[0]?.vanish(200)
    const second = await session(engine, 2)
    expect(first.socket.destroyed).toBe(true)
    expect(first.closed).toBeNull()
    expect(second.epoch).toBeGreaterThan(first.epoch)
    expect(second.inventory).toMatchObject([{ subject: 'storage-connection/c1' }])
  })

  it('stays away until it is told to return', async () => {
    const { engine, host } = await holdingOne()
    host.vanish(null)
    await eventually(() => expect(engine.session.socket.destroyed).toBe(true), PATIENCE)
    expect(host.connected).toBe(false)
    host.return()
    await session(engine, 2)
  })

  it('leaves the agent running: what ends meanwhile is reported later', async () => {
    const engine = await engineForTest()
    const rules = [{ fault: 'slow', params: { delayMs: 200 } }]
    const simulation = await simulate(engine.address, { rules })
    const [host] = simulation.hosts
    await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    await eventually(() => expect(simulation.summary().statistics.handled).toBe(1), PATIENCE)
    host?.vanish(null)
    await eventually(() => expect(host?.inventory()).toHaveLength(1), PATIENCE)
    expect(engine.reports).toEqual([])
    host?.return()
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'succeeded' })
  })

  it('by a rule strikes when a command comes, or by the clock', async () => {
    const engine = await engineForTest()
    const rules = [{ fault: 'vanish', kinds: ['storage.manage'], params: { forMs: 10 } }]
    await simulate(engine.address, { rules })
    await session(engine)
    engine.command(manage('c1'))
    await session(engine, 2)

    const other = await engineForTest()
    await simulate(other.address, { rules: [{ fault: 'vanish', params: { forMs: 10, everyMs: 100 } }] }, { hosts: 3 })
    await eventually(() => expect(other.sessions.length).toBeGreaterThan(6), PATIENCE)
  })

  it('by a rule strikes each host no more often than it may', async () => {
    const engine = await engineForTest()
    const byTheClock = { forMs: 1, everyMs: 50 }
    const rules = [
      { fault: 'vanish', times: 2, params: byTheClock },
      { fault: 'freeze', params: byTheClock },
    ]
    const simulation = await simulate(engine.address, { rules }, { hosts: 3 })
    const faults = () => simulation.summary().statistics.faults
    await eventually(() => expect(faults().freeze).toBeGreaterThan(60), PATIENCE)
    expect(faults().vanish).toBe(6)
  })
})

describe('freeze', () => {
  it('neither beats nor answers for a while, and goes on with the same session', async () => {
    const { engine, host } = await holdingOne()
    const frozenMs = performance.now()
    host.freeze(200)
    const sent = manage('c2')
    engine.command(sent)
    const { heartbeats } = engine
    await reportOf(engine, sent)
    expect(performance.now() - frozenMs).toBeGreaterThan(190)
    expect(engine.sessions).toHaveLength(1)
    await eventually(() => expect(engine.heartbeats).toBeGreaterThan(heartbeats + 2), PATIENCE)
  })

  it('for longer than the silence that is allowed ends the session when it wakes up', async () => {
    const { engine, host } = await holdingOne()
    host.freeze(null)
    const beats = () => engine.heartbeats
    const before = beats()
    const until = performance.now() + 600
    await eventually(() => expect(performance.now()).toBeGreaterThan(until), PATIENCE)
    expect(beats() - before).toBeLessThanOrEqual(1)
    expect(engine.session.socket.destroyed).toBe(false)
    host.thaw()
    await session(engine, 2)
  })
})

describe('crash', () => {
  it.each([
    ['received', 'succeeded'],
    ['acted', 'succeeded'],
    ['done', 'succeeded'],
  ])('after a command was %s comes back, and ends the redelivered one: %s', async (step, state) => {
    const engine = await engineForTest()
    const rules = [{ fault: 'crash', times: 1, params: { step, forMs: 50 } }]
    await simulate(engine.address, { rules })
    const first = await session(engine)
    const sent = manage('c1')
    engine.command(sent)
    const second = await session(engine, 2)
    expect(first.closed).toBeNull()
    expect(second.hello).toMatchObject({ agentId: first.hello.agentId, bootId: first.hello.bootId, seq: sent.seq })
    await eventually(
      () => {
        engine.command(sent)
        expect(engine.reports.find(({ commandId }) => commandId === sent.id)?.state).toBe(state)
      },
      { ...PATIENCE, intervalMs: 200 },
    )
  })

  it('with a reboot takes what was connected, and the agent connects it anew', async () => {
    const { engine, host } = await holdingOne()
    await shows(engine, 'c1', 'UP')
    await host.crash(10, { reboot: true })
    const second = await session(engine, 2)
    expect(second.hello.bootId).not.toBe(engine.sessions[0]?.hello.bootId)
    await shows(engine, 'c1', 'UP')
  })
})

describe('lose-state', () => {
  it('comes back with an empty journal', async () => {
    const { engine, host } = await holdingOne()
    await host.loseState(10, ['journal'])
    const { hello, inventory } = await session(engine, 2)
    expect(hello).toMatchObject({ seq: 0, epoch: 0, incarnation: null, agentId: engine.hellos[0]?.agentId })
    expect(inventory).toHaveLength(1)
  })

  it('of everything is another agent that holds nothing', async () => {
    const { engine, host } = await holdingOne()
    await host.loseState(10, ['journal', 'storage', 'identity'])
    const { hello, inventory } = await session(engine, 2)
    expect(hello.agentId).not.toBe(engine.hellos[0]?.agentId)
    expect(inventory).toEqual([])
  })
})

describe('restore', () => {
  it('comes back with what it held when the snapshot was taken', async () => {
    const { engine, host, sent } = await holdingOne()
    await host.snapshot()
    for (const next of [manage('c1', { generation: 2 }), manage('c2')]) {
      engine.command(next)
      await reportOf(engine, next)
    }
    expect(host.inventory()).toHaveLength(2)
    await host.restore(10)
    const { hello, inventory } = await session(engine, 2)
    expect(hello.seq).toBe(sent.seq)
    expect(inventory).toMatchObject([{ subject: 'storage-connection/c1', generation: 1 }])
    expect(inventory).toHaveLength(1)
  })
})

describe('extra', () => {
  it('shows things that the plane has not asked for, from the first inventory on', async () => {
    const engine = await engineForTest()
    const rules = [
      { fault: 'extra', params: { connections: 2 } },
      { fault: 'slow', params: { delayMs: 1 } },
    ]
    await simulate(engine.address, { rules })
    const { inventory } = await session(engine)
    expect(inventory.map(({ subject }) => subject)).toEqual([
      'storage-connection/extra-1',
      'storage-connection/extra-2',
    ])
    expect(inventory).toMatchObject([{ origin: 'plane', generation: 1 }, { origin: 'plane' }])
  })

  it('can be made by the host for itself, and appear later', async () => {
    const { engine, host } = await holdingOne()
    await host.showUnknown({ connections: 1, prefix: 'own-', origin: 'host' })
    const { inventory } = await session(engine, 2)
    expect(inventory.map(({ subject, origin }) => `${subject} ${origin}`)).toEqual([
      'storage-connection/c1 plane',
      'host-storage-connection/own-1 host',
    ])
  })
})

/** An outage every second for half of it: however late the host connects, it meets one and the end of it. */
const comingAndGoing = (params: object) =>
  Array.from({ length: 30 }, (_, second) => [
    { at: second * 1000, do: 'down', params },
    { at: second * 1000 + 500, do: 'up' },
  ]).flat()

describe('down', () => {
  it('shows storage DOWN with the reason from the next probe on, and UP when it is over', async () => {
    const engine = await engineForTest()
    await simulate(engine.address, { steps: comingAndGoing({ targets: '*/c1', message: 'the array is on fire' }) })
    await session(engine)
    engine.command(manage('c1'))
    engine.command(manage('c2'))
    await shows(engine, 'c1', 'DOWN')
    const down = engine.observations.findLast(({ status }) => status === 'DOWN')
    expect(down).toMatchObject({ subject: 'storage-connection/c1', fault: { message: 'the array is on fire' } })
    await shows(engine, 'c1', 'UP')
    const others = engine.observations.filter(({ subject }) => subject === 'storage-connection/c2')
    expect(others.at(-1)?.status).toBe('UP')
  })

  it.each(['DEGRADED', 'STUCK'])('can be %s instead', async (status) => {
    const engine = await engineForTest()
    await simulate(engine.address, { steps: comingAndGoing({ status }) })
    await session(engine)
    engine.command(manage('c1'))
    await shows(engine, 'c1', status)
    await shows(engine, 'c1', 'UP')
  })
})
