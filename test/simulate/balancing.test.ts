import 'reflect-metadata'
import { BalancingApply } from '../../src/wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
import { balancerSubject } from '../../src/wire/commands.js'
import { parseWire } from '../../src/wire/validate.js'
import { applyOf, balancerIntent, inForce, removeOf } from '../agent/support/balancing.js'
import { command } from '../agent/support/commands.js'
import type { FakeEngine } from '../agent/support/fake-engine.js'
import { temporaryDirectory } from '../agent/support/temporary.js'
import { eventually } from '../support/eventually.js'
import { engineForTest, PATIENCE, reportOf, session } from './support/engine.js'
import { simulate } from './support/simulation.js'

const APPLIANCE = [{ name: 'lb1', hosts: 'sim-[1-2]' }]

const apply = (balancer: LoadBalancerIntent, generation = 1, device = { name: 'host', epoch: 1 }) =>
  command({
    kind: 'balancing.apply',
    subject: balancerSubject(balancer.id),
    generation,
    remainingMs: 60_000,
    payload: parseWire(BalancingApply, applyOf(balancer, { device })),
  })

const remove = (balancer: LoadBalancerIntent, generation = 2) =>
  command({
    kind: 'balancing.remove',
    subject: balancerSubject(balancer.id),
    generation,
    remainingMs: 60_000,
    payload: removeOf(balancer),
  })

async function one(rules: readonly object[] = [], overrides: Parameters<typeof simulate>[2] = {}) {
  const engine = await engineForTest()
  engine.welcome = { ...engine.welcome, settings: { 'balancing.observeIntervalMs': 20 } }
  const simulation = await simulate(engine.address, { rules }, overrides)
  await session(engine)
  return { engine, simulation, host: simulation.hosts[0]! }
}

/** Sends it again until it is the last word: what a plane does with a command that has not ended. */
async function carriedOut(engine: FakeEngine, sent: ReturnType<typeof apply>) {
  engine.command(sent)
  return reportOf(engine, sent)
}

describe('a simulated host', () => {
  it('carries load balancers, and shows them with what is under them', async () => {
    const { engine, host } = await one()
    expect(engine.hellos[0]?.capabilities).toContain('balancing:simulated')
    const balancer = balancerIntent()
    expect(await carriedOut(engine, apply(balancer, 3))).toMatchObject({ state: 'succeeded', result: {} })
    expect(host.balancerDevice.isUp(balancer.id)).toBe(true)
    await eventually(() =>
      expect(engine.observations.at(-1)).toMatchObject({
        subject: balancerSubject(balancer.id),
        generation: 3,
        status: 'ONLINE',
        detail: { statuses: { [balancer.pools[0]!.members[0]!.id]: 'NO_MONITOR' } },
      }),
    )
    expect(await carriedOut(engine, remove(balancer, 4))).toMatchObject({ result: { outcome: 'removed' } })
    expect(host.balancerDevice.ids).toEqual([])
  })

  it('refuses, as a device does, two listeners on a port', async () => {
    const { engine } = await one()
    const balancer = balancerIntent()
    const twice = { ...balancer.listeners[0]!, id: '00000000-0000-4000-8000-00000000000a' }
    const report = await carriedOut(engine, apply({ ...balancer, listeners: [...balancer.listeners, twice] }))
    expect(report).toMatchObject({ state: 'failed', fault: { type: 'balancing.refused' } })
    expect(report.fault?.message).toMatch('address already in use')
  })

  it('tells of its balancers in the inventory of each session', async () => {
    const { engine, host } = await one()
    const balancer = balancerIntent()
    await carriedOut(engine, apply(balancer))
    host.vanish(10)
    const { inventory } = await session(engine, 2)
    expect(inventory).toMatchObject([inForce(balancer, 1)])
  })

  it('keeps them over the end of its process, and takes them up after a boot', async () => {
    const { engine, host } = await one([], { stateDir: await temporaryDirectory() })
    const balancer = balancerIntent()
    await carriedOut(engine, apply(balancer))
    await host.crash(10, { reboot: true })
    await session(engine, 2)
    await eventually(() => expect(host.balancerDevice.isUp(balancer.id)).toBe(true), PATIENCE)
  })

  it('fails with the words of a device that fails', async () => {
    const { engine } = await one([{ fault: 'device', times: 1, params: { how: 'fails', message: 'no memory' } }])
    const balancer = balancerIntent()
    expect(await carriedOut(engine, apply(balancer))).toMatchObject({
      state: 'failed',
      fault: { type: 'balancing.refused', message: 'no memory' },
    })
    expect(await carriedOut(engine, apply(balancer, 2))).toMatchObject({ state: 'succeeded' })
  })

  it.each(['hangs', 'loses-answer'])('ends at the deadline where a device %s, and heals by itself', async (how) => {
    const { engine, host } = await one([{ fault: 'device', times: 1, params: { how } }])
    const balancer = balancerIntent()
    const report = await carriedOut(engine, { ...apply(balancer), remainingMs: 500 })
    expect(report).toMatchObject({ state: 'failed', fault: { type: 'deadline' } })
    await eventually(() => expect(engine.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE' }))
    expect(host.balancerDevice.isUp(balancer.id)).toBe(true)
  })

  it('heals where a device answers after the deadline', async () => {
    const { engine } = await one([{ fault: 'device', times: 1, params: { how: 'late', delayMs: 1500 } }])
    const balancer = balancerIntent()
    const report = await carriedOut(engine, { ...apply(balancer), remainingMs: 500 })
    expect(report).toMatchObject({ state: 'failed', fault: { type: 'deadline' } })
    await eventually(() => expect(engine.observations.at(-1)).toMatchObject({ generation: 1, status: 'ONLINE' }))
  })

  it('takes the VIPs of networks down without a session, and says so in the next', async () => {
    const { engine, host } = await one()
    const balancer = balancerIntent({}, { bridge: 'br-public' })
    await carriedOut(engine, apply(balancer))
    // told by the welcome of the session that follows
    engine.welcome = { ...engine.welcome, settings: { 'balancing.selfFenceMs': 200 } }
    host.vanish(10)
    await session(engine, 2)
    host.vanish(null)
    await eventually(() => expect(host.balancerDevice.isUp(balancer.id)).toBe(false), PATIENCE)
    expect(host.balancerDevice.ids).toEqual([balancer.id])
    host.return()
    const { inventory } = await session(engine, 3)
    expect(inventory).toMatchObject([{ subject: balancerSubject(balancer.id), generation: 0, digest: '' }])
    await carriedOut(engine, apply(balancer, 2))
    expect(host.balancerDevice.isUp(balancer.id)).toBe(true)
  })
})

describe('a simulated appliance', () => {
  it('is reached by the hosts that were named, and by no other', async () => {
    const { engine } = await one([], { hosts: 3, appliances: APPLIANCE })
    await eventually(() => expect(engine.hellos).toHaveLength(3), PATIENCE)
    const reaching = engine.hellos.filter(({ capabilities }) => capabilities.includes('balancing-device:lb1:simulated'))
    expect(reaching.map(({ facts }) => facts.hostname).sort()).toEqual(['sim-1', 'sim-2'])
  })

  it('is done later than it answers, and the plane sees no difference', async () => {
    const { engine } = await one([], { appliances: APPLIANCE })
    const balancer = balancerIntent()
    const report = await carriedOut(engine, apply(balancer, 1, { name: 'lb1', epoch: 1 }))
    expect(report).toMatchObject({ state: 'succeeded', result: {} })
    const bad = { ...balancerIntent(), vip: balancer.vip }
    expect(await carriedOut(engine, apply(bad, 1, { name: 'lb1', epoch: 1 }))).toMatchObject({
      state: 'failed',
      fault: { type: 'balancing.refused' },
    })
  })

  it('shuts out the host that was in charge when another takes it over', async () => {
    const { engine, simulation } = await one([], { hosts: 2, appliances: APPLIANCE })
    await eventually(() => expect(engine.sessions.filter(({ ready }) => ready)).toHaveLength(2), PATIENCE)
    const [first, second] = engine.sessions
    const balancer = balancerIntent()
    const sent = apply(balancer, 1, { name: 'lb1', epoch: 1 })
    first!.stream.next({ ...sent, epoch: first!.epoch })
    expect(await reportOf(engine, sent)).toMatchObject({ state: 'succeeded' })
    const taken = apply({ ...balancer, name: 'taken' }, 2, { name: 'lb1', epoch: 2 })
    second!.stream.next({ ...taken, epoch: second!.epoch })
    expect(await reportOf(engine, taken)).toMatchObject({ state: 'succeeded' })
    const late = apply(balancer, 3, { name: 'lb1', epoch: 1 })
    first!.stream.next({ ...late, epoch: first!.epoch })
    expect(await reportOf(engine, late)).toMatchObject({ state: 'failed', fault: { type: 'fenced' } })
    await eventually(() => expect(simulation.hosts.flatMap((host) => host.heldBalancers())).toHaveLength(1), PATIENCE)
  })
})
