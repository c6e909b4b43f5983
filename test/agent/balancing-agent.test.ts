import 'reflect-metadata'
import type { HostBalancing } from '../../src/agent/balancing/host-balancing.js'
import { leaveAgent } from '../../src/agent/leave.js'
import { silentLogger } from '../../src/agent/logger.js'
import { readAgentStatus } from '../../src/agent/status.js'
import { balancerSubject } from '../../src/wire/commands.js'
import { eventually } from '../support/eventually.js'
import { agentForTest, configFor, engineForTest } from './support/agent.js'
import { applyOf, balancerIntent, inForce, ScriptedDevice } from './support/balancing.js'
import { command } from './support/commands.js'

const hostOf = ({ driver, places }: ScriptedDevice): HostBalancing => ({
  devices: [
    { name: 'host', provider: 'simulated', driver },
    {
      name: 'host',
      provider: 'haproxy',
      driver: { ...driver, obstacle: async () => ({ type: 'balancing.missing-tool', message: 'no haproxy here' }) },
    },
    { name: 'lb1', provider: 'simulated', driver: { ...driver, list: async () => [] } },
  ],
  places,
})

async function carrying(bridge: string | null = null) {
  const engine = await engineForTest()
  const config = await configFor(engine)
  const device = new ScriptedDevice()
  const agent = await agentForTest(config, [], hostOf(device))
  await eventually(() => expect(engine.session.ready).toBe(true))
  const balancer = balancerIntent({}, { bridge })
  const payload = applyOf(balancer)
  engine.command(command({ kind: 'balancing.apply', subject: balancerSubject(balancer.id), generation: 2, payload }))
  await eventually(() => expect(engine.reports.at(-1)).toMatchObject({ state: 'succeeded' }))
  return { engine, config, device, agent, balancer }
}

describe('an agent with load balancers', () => {
  it('says which it can make, on what, and what stands in the way of the rest', async () => {
    const { engine } = await carrying()
    const { capabilities, facts } = engine.hellos[0]!
    expect(capabilities).toEqual(expect.arrayContaining(['balancing:simulated', 'balancing-device:lb1:simulated']))
    expect(capabilities).not.toContain('balancing:haproxy')
    expect(facts.lacks).toContainEqual({ capability: 'balancing:haproxy', message: 'no haproxy here' })
  })

  it('tells what is seen of them, and all of them with each session', async () => {
    const { engine, balancer } = await carrying()
    await eventually(() =>
      expect(engine.observations.at(-1)).toMatchObject({ subject: balancerSubject(balancer.id), status: 'ONLINE' }),
    )
    engine.dropConnections()
    await eventually(() => expect(engine.sessions[1]?.ready).toBe(true))
    expect(engine.sessions[1]!.inventory).toMatchObject([inForce(balancer, 2)])
  })

  it('shows them in its status, whether it runs or not', async () => {
    const { config, agent, balancer } = await carrying()
    const shown = { loadBalancerId: balancer.id, name: 'web', vip: '192.0.2.10', provider: 'simulated', generation: 2 }
    expect((await readAgentStatus(config.stateDir)).holds.balancers).toMatchObject([shown])
    await agent.stop('stopping')
    expect((await readAgentStatus(config.stateDir)).holds.balancers).toMatchObject([{ ...shown, status: 'UNKNOWN' }])
  })

  it('does not leave the plane while it holds one', async () => {
    const { config, agent, balancer } = await carrying()
    const refusal = `this host still holds 1 load balancers: ${balancer.id}`
    await expect(leaveAgent(config, silentLogger, { force: false })).rejects.toThrow(refusal)
    await agent.stop('stopping')
    await expect(leaveAgent(config, silentLogger, { force: false })).rejects.toThrow(refusal)
  })

  it('takes VIPs of networks down when it leaves all the same', async () => {
    const { config, device, engine, balancer } = await carrying('br-public')
    expect([...device.vips]).toEqual([balancer.id])
    await leaveAgent(config, silentLogger, { force: true })
    expect([...device.vips]).toEqual([])
    expect(engine.sessions.at(-1)?.closed).toBe('leaving')
  })

  it('is told how often to look, and when to take its VIPs down', async () => {
    const { config, engine, device } = await carrying('br-public')
    engine.welcome = { settings: { 'balancing.selfFenceMs': 300 } }
    engine.dropConnections()
    await eventually(() => expect(engine.sessions[1]?.ready).toBe(true))
    await engine.stop()
    await eventually(() => expect([...device.vips]).toEqual([]))
    expect((await readAgentStatus(config.stateDir)).holds.balancers).toMatchObject([{ withdrawn: true }])
  })
})
