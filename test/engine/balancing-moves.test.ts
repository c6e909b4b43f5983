import { randomUUID } from 'node:crypto'
import { createListener } from '../../src/engine/balancing/edits/listeners.js'
import { updateLoadBalancer } from '../../src/engine/balancing/edits/load-balancers.js'
import type { Tree } from '../../src/engine/balancing/tree.js'
import type { BalancingApply, BalancingRemove } from '../../src/wire/balancing/commands.js'
import { VIP_LEASES } from '../../src/wire/balancing/providers.js'
import { balancerSubject } from '../../src/wire/commands.js'
import type { CommandMessage } from '../../src/wire/session.js'
import { eventually } from '../support/eventually.js'
import { WireAgent } from '../support/wire-agent.js'
import {
  administrator,
  type BalancingEngine,
  balancingAgent,
  intentIn,
  startBalancingEngine,
} from './support/balancing.js'

/** Longer than this test runs. */
const NEVER = 3_600_000

let engine: BalancingEngine
/** Of a bridge: its VIPs may be up on any host. */
let networkId: string

beforeAll(async () => {
  engine = await startBalancingEngine()
  const network = { name: 'bridged', cidr: '198.51.100.0/24', bridge: 'br-moves', createBridge: true }
  networkId = (await engine.http.post('/api/v1/networks', network)).body.id
  await engine.http.put('/api/v1/settings/balancing.selfFenceMs', { value: 1_000 })
  await graceOf(NEVER)
  // who is to be silent here vanishes
  await engine.http.put('/api/v1/settings/sessions.silenceMs', { value: 300_000 })
})
afterAll(() => engine?.stop())

const open = new Set<WireAgent>()
afterEach(async () => {
  for (const agent of open) agent.vanish()
  open.clear()
  // those of the next test have the hosts of the next test
  await engine.query(`UPDATE hosts SET capabilities = '{}'`)
  await engine.query('DELETE FROM load_balancers')
})

async function hosts(count: number, capabilities = ['balancing:simulated']): Promise<WireAgent[]> {
  const agents: WireAgent[] = []
  for (let n = 0; n < count; n++) agents.push(await balancingAgent(engine, `h-${randomUUID()}`, { capabilities }))
  for (const agent of agents) open.add(agent)
  return agents
}

const graceOf = (value: number) => engine.http.put('/api/v1/settings/balancing.moveGraceMs', { value })
const path = ({ loadBalancer }: Tree, verb: string) => `/api/v1/load-balancers/${loadBalancer.id}/${verb}`
const failover = (tree: Tree) => engine.http.post(path(tree, 'failover'))
const show = ({ loadBalancer }: Tree) => engine.balancers.require(administrator, loadBalancer.id)
const rowOf = async (tree: Tree) => (await show(tree)).loadBalancer

/** In force on one of the hosts, which comes first. */
async function placed(agents: WireAgent[], wanted: object = { networkId }) {
  const tree = await engine.make(wanted)
  const home = agents.find(({ hostId }) => hostId === tree.loadBalancer.hostId)
  if (!home) throw new Error('it is on none of these hosts')
  await home.report(await home.command())
  const others = agents.filter((agent) => agent !== home)
  return { tree: await show(tree), home, other: others[0]! }
}

const deviceIn = ({ payload }: CommandMessage) => (payload as BalancingApply | BalancingRemove).device
const heardOf = (agent: WireAgent, { loadBalancer }: Tree) =>
  agent.commands.filter(({ subject }) => subject === balancerSubject(loadBalancer.id)).map(({ kind }) => kind)

/** Since this call the schedule has looked at everything once. */
async function sweep(): Promise<void> {
  const sql = `UPDATE schedules SET next_run_at = now() WHERE name = 'balancing.moves' RETURNING now() AS at`
  const [row] = await engine.query<{ at: Date }>(sql)
  await eventually(async () => {
    const [turn] = await engine.query(
      `SELECT FROM schedules WHERE name = 'balancing.moves' AND last_started_at > $1 AND lease_until IS NULL`,
      [row!.at],
    )
    expect(turn).toBeDefined()
  })
}

describe('a failover', () => {
  it('tells the other host only when the present one has let go', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    const reply = await failover(tree)
    expect(reply).toMatchObject({
      status: 202,
      body: { provisioningStatus: 'PENDING_UPDATE', moving: true, hostId: other.hostId, placementGeneration: 2 },
    })
    const removal = await home.command()
    expect(removal).toMatchObject({
      kind: 'balancing.remove',
      generation: 2,
      subject: balancerSubject(tree.loadBalancer.id),
    })
    await sweep()
    expect(heardOf(other, tree)).toEqual([])
    await home.report(removal, { result: { outcome: 'removed' } })
    const apply = await other.command()
    expect(apply).toMatchObject({ kind: 'balancing.apply', generation: 3 })
    expect(intentIn(apply).vip.address).toBe(tree.loadBalancer.vipAddress)
    await other.report(apply, { result: {} })
    expect(await rowOf(tree)).toMatchObject({
      provisioningStatus: 'ACTIVE',
      hostId: other.hostId,
      movingFromDeviceId: null,
      placementGeneration: 2,
    })
  })

  it('is refused where no other host can take it, and changes nothing', async () => {
    const { tree } = await placed(await hosts(1))
    expect(await failover(tree)).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:no-room' } })
    expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 1 })
  })

  it('leaves it where it is, in ERROR, when its host cannot let go of it', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    await failover(tree)
    const fault = { type: 'failed', message: 'the process does not die' }
    await home.report(await home.command(), { state: 'failed', result: undefined, fault })
    const row = await rowOf(tree)
    expect(row).toMatchObject({ provisioningStatus: 'ERROR', hostId: home.hostId, movingFromDeviceId: null })
    expect(row.fault?.message).toBe('its host has not let go of it: the process does not die')
    await engine.balancers.reset(administrator, row.id)
    expect(await home.command()).toMatchObject({ kind: 'balancing.apply', generation: 3 })
    expect(heardOf(other, tree)).toEqual([])
  })

  it('takes changes along that are merged meanwhile', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    await failover(tree)
    const removal = await home.command()
    const listener = createListener({ protocol: 'HTTP', protocolPort: 80 })
    const options = { face: 'native', coalesce: true } as const
    await engine.balancers.change(administrator, tree.loadBalancer.id, listener, options)
    expect(heardOf(other, tree)).toEqual([])
    await home.report(removal, { result: { outcome: 'removed' } })
    const apply = await other.command()
    expect(intentIn(apply).listeners).toMatchObject([{ port: 80 }])
    await other.report(apply, { result: {} })
    expect((await show(tree)).listeners).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
    expect(heardOf(other, tree)).toEqual(['balancing.apply'])
  })

  it('ends with a deletion, which is the business of the host that has it', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    await failover(tree)
    await home.command()
    await engine.balancers.delete(administrator, tree.loadBalancer.id, { face: 'native', cascade: true })
    const removal = await home.command()
    expect(removal).toMatchObject({ kind: 'balancing.remove', generation: 3 })
    await home.report(removal, { result: { outcome: 'removed' } })
    await expect(show(tree)).rejects.toThrow('does not exist')
    expect(heardOf(other, tree)).toEqual([])
  })

  it('is refused while something is under way', async () => {
    const { tree } = await placed(await hosts(2))
    await failover(tree)
    expect(await failover(tree)).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:pending' } })
  })
})

describe('a host that falls silent', () => {
  afterEach(() => graceOf(NEVER))

  it('loses its balancers after the grace, not before, and is told to let go of them when it is back', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    home.vanish()
    await eventually(async () => {
      expect((await engine.http.get(`/api/v1/hosts/${home.hostId}`)).body.status).toBe('NonResponsive')
    })
    await sweep()
    expect(heardOf(other, tree)).toEqual([])
    await graceOf(2_000)
    const apply = await other.command()
    expect(apply).toMatchObject({ kind: 'balancing.apply', subject: balancerSubject(tree.loadBalancer.id) })
    await other.report(apply, { result: {} })
    expect(await rowOf(tree)).toMatchObject({
      provisioningStatus: 'ACTIVE',
      hostId: other.hostId,
      placementGeneration: 2,
    })
    const subject = balancerSubject(tree.loadBalancer.id)
    const item = {
      subject,
      generation: 1,
      digest: tree.loadBalancer.intentDigest,
      origin: 'plane' as const,
      status: 'ONLINE',
    }
    const back = await WireAgent.open(engine.tcp, home.again(), [item])
    open.add(back)
    const removal = await back.command()
    expect(removal).toMatchObject({ kind: 'balancing.remove', subject })
    await back.report(removal, { result: { outcome: 'removed' } })
    expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ACTIVE', hostId: other.hostId })
    expect(heardOf(other, tree)).toEqual(['balancing.apply'])
  })

  it('is told to let go of what it had before, also while the same balancer is on its way back to it', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    const item = {
      subject: balancerSubject(tree.loadBalancer.id),
      generation: 1,
      digest: tree.loadBalancer.intentDigest,
      origin: 'plane' as const,
      status: 'ONLINE',
    }
    const back = async () => {
      const agent = await WireAgent.open(engine.tcp, home.again(), [item])
      open.add(agent)
      return agent
    }
    home.vanish()
    await graceOf(2_000)
    await other.report(await other.command(), { result: {} })
    await graceOf(NEVER)
    const first = await back()
    expect(await first.command()).toMatchObject({ kind: 'balancing.remove' })
    expect(await failover(tree)).toMatchObject({ status: 202, body: { hostId: home.hostId, moving: true } })
    const leaving = await other.command(1)
    expect(leaving).toMatchObject({ kind: 'balancing.remove' })
    first.vanish()
    const second = await back()
    const removal = await second.command()
    expect(removal).toMatchObject({ kind: 'balancing.remove' })
    expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'PENDING_UPDATE', hostId: home.hostId })
    await second.report(removal, { result: { outcome: 'removed' } })
    await other.report(leaving, { result: { outcome: 'removed' } })
    await eventually(() => expect(heardOf(second, tree)).toContain('balancing.apply'))
    expect((await rowOf(tree)).provisioningStatus).toBe('PENDING_UPDATE')
  })

  it('keeps those at its own address, which can be nowhere else', async () => {
    const agents = await hosts(1)
    const { tree: own } = await placed(agents, { networkId: engine.networkId })
    const { tree: bridged } = await placed(agents)
    const [other] = await hosts(1)
    agents[0]!.vanish()
    await graceOf(2_000)
    await eventually(async () => expect((await rowOf(bridged)).hostId).toBe(other!.hostId))
    await sweep()
    expect((await rowOf(own)).hostId).toBe(agents[0]!.hostId)
  })

  it('has said goodbye: what it runs goes on, and nobody takes its VIPs down', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    await home.close('stopping')
    const { tree: second } = await placed([other])
    await graceOf(2_000)
    other.vanish()
    // that one's move has waited for the same grace
    const [third] = await hosts(1)
    await eventually(async () => expect((await rowOf(second)).hostId).toBe(third!.hostId))
    await sweep()
    expect((await rowOf(tree)).hostId).toBe(home.hostId)
  })

  it('has said goodbye, and its kernel takes the VIPs down: what it has goes elsewhere after the grace', async () => {
    const { tree, home, other } = await placed(await hosts(2, ['balancing:simulated', VIP_LEASES]))
    await home.close('stopping')
    await eventually(async () => {
      expect((await engine.http.get(`/api/v1/hosts/${home.hostId}`)).body.status).toBe('Down')
    })
    await sweep()
    expect((await rowOf(tree)).hostId).toBe(home.hostId)
    await graceOf(2_000)
    expect(await other.command()).toMatchObject({ kind: 'balancing.apply' })
    expect((await rowOf(tree)).hostId).toBe(other.hostId)
  })

  it('lets a failover that it cannot confirm go on after the grace', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    home.vanish()
    await eventually(async () => {
      expect((await engine.http.get(`/api/v1/hosts/${home.hostId}`)).body.connected).toBe(false)
    })
    expect(await failover(tree)).toMatchObject({ status: 202, body: { moving: true } })
    await sweep()
    expect(heardOf(other, tree)).toEqual([])
    await graceOf(2_000)
    expect(await other.command()).toMatchObject({ kind: 'balancing.apply', generation: 3 })
  })
})

it('a host on its way into maintenance is left by its balancers first', async () => {
  const { tree, home, other } = await placed(await hosts(2))
  const reply = await engine.http.post(`/api/v1/hosts/${home.hostId}/maintenance`, {})
  expect(reply.body.status).toBe('PreparingForMaintenance')
  const removal = await home.command()
  expect(removal).toMatchObject({ kind: 'balancing.remove' })
  await home.report(removal, { result: { outcome: 'removed' } })
  await other.report(await other.command(), { result: {} })
  expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ACTIVE', hostId: other.hostId })
  await eventually(async () => {
    expect((await engine.http.get(`/api/v1/hosts/${home.hostId}`)).body.status).toBe('Maintenance')
  })
})

it('a host on its way into maintenance is not left by what was to be deleted there', async () => {
  const { tree, home, other } = await placed(await hosts(2))
  await engine.balancers.delete(administrator, tree.loadBalancer.id, { face: 'native', cascade: true })
  const fault = { type: 'failed', message: 'the process does not die' }
  await home.report(await home.command(), { state: 'failed', result: undefined, fault })
  expect((await rowOf(tree)).provisioningStatus).toBe('ERROR')
  await engine.http.post(`/api/v1/hosts/${home.hostId}/maintenance`, {})
  expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ERROR', hostId: home.hostId })
  expect(heardOf(other, tree)).toEqual([])
})

it('what is in a zone that is offered to nobody any more moves all the same', async () => {
  const name = `zone-${randomUUID()}`
  await engine.query(
    `WITH p AS (INSERT INTO availability_zone_profiles (name, provider) VALUES ($1, 'simulated') RETURNING id)
     INSERT INTO availability_zones (name, profile_id) SELECT $1, id FROM p`,
    [name],
  )
  const { tree, home } = await placed(await hosts(2), { networkId, availabilityZone: name })
  await engine.query('UPDATE availability_zones SET enabled = false WHERE name = $1', [name])
  expect(await failover(tree)).toMatchObject({ status: 202, body: { moving: true } })
  expect(await home.command()).toMatchObject({ kind: 'balancing.remove' })
})

describe('an appliance that two hosts reach', () => {
  it('comes into the charge of the other with a higher epoch, as soon as the one in charge is silent', async () => {
    const name = randomUUID()
    const { tree, home, other } = await placed(await hosts(2, [`balancing-device:${name}:simulated`]))
    home.vanish()
    const apply = await other.command()
    expect(apply).toMatchObject({ kind: 'balancing.apply', generation: 2 })
    expect(deviceIn(apply)).toEqual({ name, epoch: 2 })
    await other.report(apply, { result: {} })
    expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ACTIVE', hostId: other.hostId })
    const subject = balancerSubject(tree.loadBalancer.id)
    const item = {
      subject,
      generation: 1,
      digest: tree.loadBalancer.intentDigest,
      origin: 'plane' as const,
      status: 'ONLINE',
    }
    const back = await WireAgent.open(engine.tcp, home.again(), [item])
    open.add(back)
    const removal = await back.command()
    expect(removal).toMatchObject({ kind: 'balancing.remove', subject })
    // the device refuses this one, which then forgets what is not its own any more
    expect(deviceIn(removal)).toEqual({ name, epoch: 1 })
    await back.report(removal, { result: { outcome: 'removed' } })
    expect(await rowOf(tree)).toMatchObject({ provisioningStatus: 'ACTIVE', hostId: other.hostId })
  })

  it('is done with the host that had it, when that one is back and holds nothing of it', async () => {
    const name = randomUUID()
    const { home, other } = await placed(await hosts(2, [`balancing-device:${name}:simulated`]))
    const tombstones = async () => (await engine.http.get(`/api/v1/tombstones?hostId=${home.hostId}`)).body.items
    home.vanish()
    await other.report(await other.command(), { result: {} })
    expect(await tombstones()).toMatchObject([{ state: 'waiting' }])
    const back = await WireAgent.open(engine.tcp, home.again())
    open.add(back)
    await eventually(async () => expect(await tombstones()).toMatchObject([{ state: 'confirmed' }]))
    expect(back.commands).toEqual([])
  })

  it('goes on with what was being deleted', async () => {
    const name = randomUUID()
    const { tree, home, other } = await placed(await hosts(2, [`balancing-device:${name}:simulated`]))
    await engine.balancers.delete(administrator, tree.loadBalancer.id, { face: 'native', cascade: true })
    await home.command()
    home.vanish()
    const removal = await other.command()
    expect(removal).toMatchObject({ kind: 'balancing.remove' })
    expect(deviceIn(removal)).toEqual({ name, epoch: 2 })
    await other.report(removal, { result: { outcome: 'removed' } })
    await expect(show(tree)).rejects.toThrow('does not exist')
  })
})

describe('a rollback', () => {
  it('goes back to the last generation that was in force, or to the one that is named', async () => {
    const { tree, home } = await placed(await hosts(1))
    const { id } = tree.loadBalancer
    const listener = createListener({ protocol: 'HTTP', protocolPort: 80 })
    await engine.balancers.change(administrator, id, listener, { face: 'native' })
    await home.report(await home.command(), { result: {} })
    await engine.balancers.change(administrator, id, updateLoadBalancer({ name: 'worse' }), { face: 'native' })
    const fault = { type: 'refused', message: 'no' }
    await home.report(await home.command(), { state: 'failed', result: undefined, fault })
    const back = await engine.http.post(path(tree, 'rollback'), {})
    expect(back).toMatchObject({ status: 202, body: { provisioningStatus: 'PENDING_UPDATE', generation: 4 } })
    const apply = await home.command()
    expect(intentIn(apply)).toMatchObject({ name: tree.loadBalancer.name, listeners: [{ port: 80 }] })
    await home.report(apply, { result: {} })
    expect((await engine.http.post(path(tree, 'rollback'), { generation: 1 })).status).toBe(202)
    expect(intentIn(await home.command()).listeners).toEqual([])
  })

  it('goes back to what was asked before the last change, however often it has moved or was said again since', async () => {
    const { tree, home, other } = await placed(await hosts(2))
    const { id } = tree.loadBalancer
    const listener = createListener({ protocol: 'HTTP', protocolPort: 80 })
    await engine.balancers.change(administrator, id, listener, { face: 'native' })
    await home.report(await home.command(), { result: {} })
    expect((await failover(tree)).status).toBe(202)
    await home.report(await home.command(), { result: { outcome: 'removed' } })
    await other.report(await other.command(), { result: {} })
    for (let more = 0; more < 12; more++) {
      await engine.query(`UPDATE load_balancers SET provisioning_status = 'ERROR' WHERE id = $1`, [id])
      expect((await engine.http.post(path(tree, 'reset'))).status).toBe(202)
      await other.report(await other.command(), { result: {} })
    }
    const back = await engine.http.post(path(tree, 'rollback'), {})
    expect(back).toMatchObject({ status: 202, body: { provisioningStatus: 'PENDING_UPDATE' } })
    expect(intentIn(await other.command()).listeners).toEqual([])
  })

  it('is refused where there is nothing to go back to', async () => {
    const { tree } = await placed(await hosts(1))
    const problem = { status: 409, body: { type: 'urn:keelson:problem:no-such-generation' } }
    expect(await engine.http.post(path(tree, 'rollback'), {})).toMatchObject(problem)
    expect(await engine.http.post(path(tree, 'rollback'), { generation: 7 })).toMatchObject(problem)
  })
})

it('explains over REST which pool a request would meet', async () => {
  const { tree } = await placed(await hosts(1), {
    networkId,
    build: createListener({ protocol: 'HTTP', protocolPort: 80 }),
  })
  const query = `?host=shop.example&path=${encodeURIComponent('/a?b')}&headers=${encodeURIComponent('X-A: 1')}`
  const reply = await engine.http.get(`${path(tree, 'explain')}${query}`)
  expect(reply).toMatchObject({
    status: 200,
    body: { listenerId: tree.listeners[0]!.id, policies: [], outcome: { type: 'unavailable', status: 503 } },
  })
  expect((await engine.http.get(`${path(tree, 'explain')}?headers=nonsense`)).status).toBe(422)
})
