import { randomUUID } from 'node:crypto'
import { createHealthMonitor } from '../../src/engine/balancing/edits/health-monitors.js'
import { createListener } from '../../src/engine/balancing/edits/listeners.js'
import { updateLoadBalancer } from '../../src/engine/balancing/edits/load-balancers.js'
import { createMember, deleteMember } from '../../src/engine/balancing/edits/members.js'
import { createPool, deletePool } from '../../src/engine/balancing/edits/pools.js'
import type { Edit, Tree } from '../../src/engine/balancing/tree.js'
import { Conflict } from '../../src/engine/platform/errors.js'
import { digestOf } from '../../src/wire/digest.js'
import type { CommandMessage } from '../../src/wire/session.js'
import { createProject } from '../support/callers.js'
import { eventually } from '../support/eventually.js'
import { WireAgent } from '../support/wire-agent.js'
import {
  administrator,
  type BalancingEngine,
  balancingAgent,
  gone,
  intentIn,
  startBalancingEngine,
} from './support/balancing.js'

let engine: BalancingEngine
let agent: WireAgent

beforeAll(async () => {
  engine = await startBalancingEngine()
  agent = await balancingAgent(engine, 'b1')
})
afterAll(async () => {
  agent?.vanish()
  await engine?.stop()
})

const native = { face: 'native' } as const
const coalescing = { face: 'native', coalesce: true } as const
const show = (tree: Tree) => engine.balancers.require(administrator, tree.loadBalancer.id)
const change = (tree: Tree, edit: Edit, options: Parameters<typeof engine.balancers.change>[3] = native) =>
  engine.balancers.change(administrator, tree.loadBalancer.id, edit, options)
const remove = (tree: Tree, options: object = {}) =>
  engine.balancers.delete(administrator, tree.loadBalancer.id, { face: 'native', cascade: true, ...options })
const listener = (protocolPort: number, id: string = randomUUID()) =>
  createListener({ id, protocol: 'HTTP', protocolPort })

/** Made, and in force. */
async function active(build: Edit = (tree) => tree): Promise<Tree> {
  const tree = await engine.make({ build })
  await agent.report(await agent.command())
  return show(tree)
}

const withPool = (poolId: string): Edit => createPool({ id: poolId, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' })
const portsIn = (command: CommandMessage) =>
  intentIn(command)
    .listeners.map(({ port }) => port)
    .sort((a, b) => a - b)
const isGone = (tree: Tree) => expect(show(tree)).rejects.toThrow('does not exist')

describe('making a load balancer', () => {
  it('claims an address, tells its host the whole of it, and is ACTIVE when that has it', async () => {
    const tree = await engine.make({ build: listener(80) })
    expect(tree.loadBalancer).toMatchObject({
      provisioningStatus: 'PENDING_CREATE',
      generation: 1,
      hostId: agent.hostId,
    })
    const command = await agent.command()
    expect(command).toMatchObject({ kind: 'balancing.apply', generation: 1 })
    expect(command.payload).toMatchObject({ provider: 'simulated', device: { name: 'host', epoch: 1 } })
    expect(intentIn(command)).toMatchObject({
      id: tree.loadBalancer.id,
      vip: { address: tree.loadBalancer.vipAddress, network: { id: engine.networkId, cidr: '192.0.2.0/24' } },
      listeners: [{ port: 80 }],
    })
    await agent.report(command)
    const now = await show(tree)
    expect(now.loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 1 })
    expect(now.listeners).toMatchObject([{ provisioningStatus: 'ACTIVE', protocolPort: 80 }])
  })

  it('is refused, with the reason of each host, where none can take it, and nothing is kept of it', async () => {
    const before = await engine.query('SELECT count(*) FROM network_addresses WHERE holder_id IS NOT NULL')
    const refused = await engine.make({ provider: 'nginx' }).catch((error: unknown) => error)
    expect(refused).toMatchObject({
      type: 'no-room',
      extra: { refused: [{ host: 'b1', reason: 'it lacks the capability balancing:nginx' }] },
    })
    expect(await engine.query('SELECT count(*) FROM network_addresses WHERE holder_id IS NOT NULL')).toEqual(before)
  })

  it('keeps what the driver says when it fails, for all of it, and is ACTIVE once it is asked for again', async () => {
    const tree = await engine.make({ build: listener(80) })
    const fault = { type: 'refused', message: 'no such certificate' }
    await agent.report(await agent.command(), { state: 'failed', fault })
    const failed = await show(tree)
    expect(failed.loadBalancer).toMatchObject({ provisioningStatus: 'ERROR', fault, goodGeneration: null })
    expect(failed.listeners).toMatchObject([{ provisioningStatus: 'ERROR' }])
    const again = await engine.balancers.reset(administrator, tree.loadBalancer.id)
    expect(again.loadBalancer).toMatchObject({ provisioningStatus: 'PENDING_UPDATE', generation: 2, fault: null })
    await agent.report(await agent.command())
    const healed = await show(tree)
    expect(healed.loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE' })
    expect(healed.listeners).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
  })

  it('is healed by a success that comes after its deadline', async () => {
    const tree = await engine.make({ build: listener(80) })
    const command = await agent.command()
    await engine.query(`UPDATE commands SET deadline_at = now() - interval '1 second' WHERE id = $1`, [command.id])
    await eventually(async () => {
      expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'expired' } })
    })
    await agent.report(command)
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
    expect((await show(tree)).listeners).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
  })

  it('takes a report that comes twice once', async () => {
    const tree = await engine.make()
    const command = await agent.command()
    await agent.report(command)
    await agent.report(command, { state: 'failed', fault: { type: 'x', message: 'x' } })
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
  })
})

describe('many that are asked for together', () => {
  it('have each an address of their own, are spread evenly, and are told to their hosts whole', async () => {
    const hosts = await Promise.all(
      ['m1', 'm2'].map((name) => balancingAgent(engine, name, { capabilities: ['balancing:haproxy'] })),
    )
    const trees = await Promise.all(
      Array.from({ length: 40 }, (_, i) => engine.make({ provider: 'haproxy', build: listener(i + 1) })),
    )
    expect(new Set(trees.map(({ loadBalancer }) => loadBalancer.vipAddress)).size).toBe(40)
    for (const host of hosts) {
      const mine = trees.filter(({ loadBalancer }) => loadBalancer.hostId === host.hostId)
      expect(mine).toHaveLength(20)
      await host.command(19)
      for (const command of host.commands) await host.report(command)
      expect(new Set(host.commands.map((command) => intentIn(command).id))).toEqual(
        new Set(mine.map(({ loadBalancer }) => loadBalancer.id)),
      )
    }
    for (const [i, tree] of trees.entries()) {
      const now = await show(tree)
      expect(now.loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 1 })
      expect(now.listeners).toMatchObject([{ protocolPort: i + 1, provisioningStatus: 'ACTIVE' }])
    }
    for (const tree of trees) await remove(tree)
    for (const host of hosts) {
      await host.command(39)
      for (const command of host.commands.slice(20)) await host.report(command)
      await gone(engine, host)
    }
  })

  it('do not wait for each other where each asks for an address by name', async () => {
    const addresses = Array.from({ length: 20 }, (_, i) => `192.0.2.${200 + i}`)
    const trees = await Promise.all(addresses.map((vipAddress) => engine.make({ vipAddress })))
    expect(trees.map(({ loadBalancer }) => loadBalancer.vipAddress)).toEqual(addresses)
    for (let end = 0; end < addresses.length; end++) await agent.report(await agent.command())
  })

  it('are refused one by one: what is wrong with one of them is nothing to the others', async () => {
    const asked = [80, 70_000, 81].map((port) =>
      engine.make({
        build: (tree) => {
          if (port > 65_535) throw new Conflict('no such port', 'port-taken')
          return listener(port)(tree)
        },
      }),
    )
    const ends = await Promise.allSettled(asked)
    expect(ends.map(({ status }) => status)).toEqual(['fulfilled', 'rejected', 'fulfilled'])
    expect(ends[1]).toMatchObject({ reason: { type: 'port-taken' } })
    for (let end = 0; end < 2; end++) await agent.report(await agent.command())
  })

  it('take no address where there is none left, and say so', async () => {
    const ranges = [{ from: '198.51.100.5', to: '198.51.100.6' }]
    const { body } = await engine.http.post('/api/v1/networks', { name: 'narrow', cidr: '198.51.100.0/24', ranges })
    const ends = await Promise.allSettled(Array.from({ length: 3 }, () => engine.make({ networkId: body.id })))
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(2)
    expect(ends.find(({ status }) => status === 'rejected')).toMatchObject({ reason: { type: 'network-full' } })
    for (let end = 0; end < 2; end++) await agent.report(await agent.command())
  })
})

describe('changing a load balancer', () => {
  it('locks all of it until its device has it, and shows what was changed as pending', async () => {
    const pool = randomUUID()
    const tree = await active(withPool(pool))
    const changed = await change(tree, createMember(pool, { address: '10.0.0.1', protocolPort: 80 }))
    expect(changed.loadBalancer).toMatchObject({ provisioningStatus: 'PENDING_UPDATE', generation: 2 })
    expect(changed.members).toMatchObject([{ provisioningStatus: 'PENDING_CREATE', generation: 2 }])
    expect(changed.pools).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
    await expect(change(tree, listener(81))).rejects.toMatchObject({ type: 'pending' })
    await expect(change(tree, listener(81), { face: 'octavia' })).rejects.toMatchObject({ type: 'pending' })
    await agent.report(await agent.command())
    expect((await show(tree)).members).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
  })

  it('that is none asks its device for nothing', async () => {
    const tree = await active()
    const same = await change(tree, (before) => before)
    expect(same.loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 1 })
  })

  it('is refused to who has read another generation', async () => {
    const tree = await active()
    const ifMatch = { any: false, tags: ['"g7"'] }
    await expect(change(tree, listener(80), { ...native, ifMatch })).rejects.toMatchObject({
      type: 'precondition-failed',
    })
  })

  it('leaves what is removed out of what its device is told, and forgets it when that has it', async () => {
    const [pool, member] = [randomUUID(), randomUUID()]
    const tree = await active((empty) =>
      createMember(pool, { id: member, address: '10.0.0.1', protocolPort: 80 })(withPool(pool)(empty)),
    )
    const changed = await change(tree, deleteMember(pool, member))
    expect(changed.members).toEqual([])
    const status = 'SELECT provisioning_status AS status FROM members WHERE id = $1'
    expect(await engine.query(status, [member])).toEqual([{ status: 'PENDING_DELETE' }])
    const command = await agent.command()
    expect(intentIn(command).pools).toMatchObject([{ id: pool, members: [] }])
    await agent.report(command)
    expect(await engine.query(status, [member])).toEqual([])
  })

  it('may give the place of what is going to something new', async () => {
    const [pool, member] = [randomUUID(), randomUUID()]
    const place = { address: '10.0.0.1', protocolPort: 80 }
    const monitor = { type: 'TCP', delay: 5, timeout: 3, maxRetries: 2 } as const
    const tree = await active((empty) =>
      createHealthMonitor(pool, monitor)(createMember(pool, { id: member, ...place })(withPool(pool)(empty))),
    )
    await change(tree, (before) => ({ ...before, members: [], healthMonitors: [] }))
    await change(tree, createMember(pool, place), coalescing)
    await change(tree, createHealthMonitor(pool, monitor), coalescing)
    for (let end = 0; end < 3; end++) await agent.report(await agent.command()).catch(() => undefined)
    await eventually(async () => {
      const now = await show(tree)
      expect(now.members).toMatchObject([{ address: '10.0.0.1', provisioningStatus: 'ACTIVE' }])
      expect(now.healthMonitors).toMatchObject([{ provisioningStatus: 'ACTIVE' }])
    })
  })

  it('goes out with all under it where a pool goes', async () => {
    const pool = randomUUID()
    const tree = await active((empty) =>
      createMember(pool, { address: '10.0.0.1', protocolPort: 80 })(withPool(pool)(empty)),
    )
    await change(tree, deletePool(pool))
    await agent.report(await agent.command())
    const left = `SELECT (SELECT count(*)::int FROM pools WHERE id = $1) + (SELECT count(*)::int FROM members WHERE pool_id = $1) AS n`
    expect(await engine.query(left, [pool])).toEqual([{ n: 0 }])
  })

  it('keeps the last generations, and tells which were good', async () => {
    const tree = await active()
    for (let port = 1; port <= 12; port++) {
      await change(tree, listener(port))
      await agent.report(await agent.command())
    }
    const rows = await engine.query<{ generation: number; good: boolean }>(
      'SELECT generation, good FROM load_balancer_generations WHERE load_balancer_id = $1 ORDER BY generation',
      [tree.loadBalancer.id],
    )
    expect(rows.map(({ generation }) => generation)).toEqual([4, 5, 6, 7, 8, 9, 10, 11, 12, 13])
    expect(rows.every(({ good }) => good)).toBe(true)
  })
})

describe('a change that is merged into the next generation', () => {
  it('supersedes the command before it, and each caller knows the generation that holds theirs', async () => {
    const tree = await active()
    const first = await change(tree, listener(80))
    const older = await agent.command()
    const second = await change(tree, listener(81), coalescing)
    expect([first, second].map(({ loadBalancer }) => loadBalancer.generation)).toEqual([2, 3])
    const newer = await agent.command()
    expect(portsIn(newer)).toEqual([80, 81])
    const superseded = (await engine.http.get(`/api/v1/commands/${older.id}`)).body
    expect(superseded).toMatchObject({ state: 'superseded', supersededBy: newer.id })
    await agent.report(older)
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'PENDING_UPDATE', goodGeneration: 1 })
    await agent.report(newer)
    const now = await show(tree)
    expect(now.loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 3 })
    expect(now.listeners.map((one) => one.provisioningStatus)).toEqual(['ACTIVE', 'ACTIVE'])
  })

  it('is waited for until its own generation is in force', async () => {
    const tree = await active()
    const { loadBalancer } = await change(tree, listener(80))
    const settled = engine.balancers.settled(administrator, loadBalancer.id, loadBalancer.generation, 30_000)
    await agent.report(await agent.command())
    expect((await settled).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 2 })
  })

  it('is shown as it is when the time of who waits is over', async () => {
    const tree = await active()
    const { loadBalancer } = await change(tree, listener(80))
    const settled = await engine.balancers.settled(administrator, loadBalancer.id, loadBalancer.generation, 20)
    expect(settled.loadBalancer).toMatchObject({ provisioningStatus: 'PENDING_UPDATE' })
    await agent.report(await agent.command())
  })
})

describe('two changes at once', () => {
  it('come to one of the two or both whole, round after round, and who lost is told', async () => {
    const tree = await active()
    for (let round = 0; round < 60; round++) {
      const said = ['left', 'right'].map((side) => ({ name: `${side} ${round}`, description: `${side} ${round}` }))
      const ends = await Promise.allSettled(said.map((one) => change(tree, updateLoadBalancer(one))))
      const won = said.filter((_, i) => ends[i]?.status === 'fulfilled')
      expect(won).toHaveLength(1)
      for (const end of ends) if (end.status === 'rejected') expect(end.reason).toMatchObject({ type: 'pending' })
      const command = await agent.command()
      expect(intentIn(command).name).toBe(won[0]!.name)
      await agent.report(command)
      expect((await show(tree)).loadBalancer).toMatchObject({ ...won[0], provisioningStatus: 'ACTIVE' })
    }
  })

  it('are both in it where they are merged, and none of them is lost', async () => {
    const tree = await active()
    const ports = Array.from({ length: 20 }, (_, i) => 1_000 + i)
    await Promise.all(ports.map((port) => change(tree, listener(port), coalescing)))
    const last = await eventually(() => {
      const found = agent.commands.find((one) => one.generation === 21 && intentIn(one).id === tree.loadBalancer.id)
      if (!found) throw new Error('the last generation has not come yet')
      return found
    })
    expect(portsIn(last)).toEqual(ports)
    await agent.report(last)
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 21 })
    await agent.command(agent.commands.length - 1)
  })
})

describe('deleting a load balancer', () => {
  it('is refused while there is something under it, unless all is to go', async () => {
    const tree = await active(listener(80))
    await expect(remove(tree, { cascade: false })).rejects.toMatchObject({
      type: 'invalid',
      faults: [{ field: 'cascade' }],
    })
    expect((await remove(tree)).provisioningStatus).toBe('PENDING_DELETE')
    await agent.report(await agent.command())
    await isGone(tree)
  })

  it('keeps the address until its host has confirmed, and gives it back then', async () => {
    const tree = await active()
    const held = async () => engine.query('SELECT FROM network_addresses WHERE holder_id = $1', [tree.loadBalancer.id])
    await remove(tree)
    expect(await held()).toHaveLength(1)
    await agent.report(await agent.command())
    expect(await held()).toHaveLength(0)
    const { body } = await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)
    expect(body.items).toContainEqual(
      expect.objectContaining({ subject: `load-balancer/${tree.loadBalancer.id}`, state: 'confirmed' }),
    )
  })

  it('supersedes what is pending, from PENDING_CREATE', async () => {
    const tree = await engine.make({ build: listener(80) })
    const apply = await agent.command()
    await remove(tree)
    const going = await agent.command()
    expect((await engine.http.get(`/api/v1/commands/${apply.id}`)).body.supersededBy).toBe(going.id)
    await agent.report(apply)
    expect((await show(tree)).loadBalancer.provisioningStatus).toBe('PENDING_DELETE')
    await agent.report(going)
    await isGone(tree)
  })

  it('supersedes what is pending, from PENDING_UPDATE', async () => {
    const tree = await active()
    await change(tree, listener(80))
    await agent.command()
    await remove(tree)
    await agent.report(await agent.command())
    await isGone(tree)
  })

  it('from ERROR is asked for like any other', async () => {
    const tree = await engine.make()
    await agent.report(await agent.command(), { state: 'failed', fault: { type: 'x', message: 'x' } })
    await remove(tree)
    await agent.report(await agent.command())
    await isGone(tree)
  })

  it('asked for twice is one', async () => {
    const tree = await active()
    const [first, second] = [await remove(tree), await remove(tree)]
    expect(second.generation).toBe(first.generation)
    await agent.report(await agent.command())
    await isGone(tree)
  })

  it('that fails is an ERROR that says why, with nothing under it left pending, and is tried again by a reset', async () => {
    const tree = await engine.make({ build: listener(80) })
    await agent.command()
    await remove(tree)
    const fault = { type: 'busy', message: 'device or resource busy' }
    await agent.report(await agent.command(), { state: 'failed', fault })
    const failed = await show(tree)
    expect(failed.loadBalancer).toMatchObject({ provisioningStatus: 'ERROR', fault })
    expect(failed.listeners).toMatchObject([{ provisioningStatus: 'ERROR' }])
    const again = await engine.balancers.reset(administrator, tree.loadBalancer.id)
    expect(again.loadBalancer.provisioningStatus).toBe('PENDING_DELETE')
    await agent.report(await agent.command())
    await isGone(tree)
  })

  it('on the face of Octavia waits for what is pending', async () => {
    const tree = await engine.make()
    await expect(remove(tree, { face: 'octavia' })).rejects.toMatchObject({ type: 'pending' })
    await agent.report(await agent.command())
    await remove(tree, { face: 'octavia' })
    await agent.report(await agent.command())
    await isGone(tree)
  })
})

describe('what is seen of a load balancer', () => {
  it('is shown of it and of all under it, with statistics', async () => {
    const [pool, member, front] = [randomUUID(), randomUUID(), randomUUID()]
    const tree = await active((empty) =>
      createMember(pool, { id: member, address: '10.0.0.1', protocolPort: 80 })(
        withPool(pool)(listener(80, front)(empty)),
      ),
    )
    const counted = { activeConnections: 1, totalConnections: 2, bytesIn: 3, bytesOut: 4, requestErrors: 0 }
    await agent.observe([
      {
        subject: `load-balancer/${tree.loadBalancer.id}`,
        generation: 1,
        status: 'DEGRADED',
        fault: null,
        detail: {
          statuses: { [front]: 'ONLINE', [member]: 'ERROR', [pool]: 'ERROR' },
          statistics: { [front]: counted },
        },
      },
    ])
    const now = await show(tree)
    expect(now.loadBalancer).toMatchObject({ operatingStatus: 'DEGRADED', statistics: { [front]: counted } })
    expect(now.listeners).toMatchObject([{ operatingStatus: 'ONLINE' }])
    expect(now.pools).toMatchObject([{ operatingStatus: 'ERROR' }])
    expect(now.members).toMatchObject([{ operatingStatus: 'ERROR' }])
  })
})

describe('a host that shows what it has', () => {
  it('keeps what is as it should be, and is told again what it lost', async () => {
    const host = await balancingAgent(engine, 'b2', { capabilities: ['balancing:nginx'] })
    const make = async () => {
      const tree = await engine.make({ provider: 'nginx' })
      const command = await host.command()
      await host.report(command)
      return { tree, digest: digestOf(intentIn(command)) }
    }
    const [kept, lost] = [await make(), await make()]
    await gone(engine, host)
    const item = { subject: `load-balancer/${kept.tree.loadBalancer.id}`, generation: 1, digest: kept.digest }
    const back = await WireAgent.open(engine.tcp, host.again(), [{ ...item, status: 'ONLINE', origin: 'plane' }])
    const command = await back.command()
    expect(intentIn(command).id).toBe(lost.tree.loadBalancer.id)
    expect(command.generation).toBe(2)
    expect((await show(kept.tree)).loadBalancer).toMatchObject({
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'ONLINE',
    })
    await back.report(command)
    await gone(engine, back)
  })

  it('that is away expires what it is asked to let go, and lets it go when it is back', async () => {
    const host = await balancingAgent(engine, 'b3', { capabilities: ['balancing:haproxy'] })
    const tree = await engine.make({ provider: 'haproxy' })
    const applied = await host.command()
    await host.report(applied)
    await gone(engine, host)
    const going = await remove(tree)
    await engine.query(`UPDATE commands SET deadline_at = now() - interval '1 second' WHERE id = $1`, [going.commandId])
    await eventually(async () => {
      expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'expired' } })
    })

    const item = {
      subject: `load-balancer/${tree.loadBalancer.id}`,
      generation: 1,
      digest: digestOf(intentIn(applied)),
    }
    const back = await WireAgent.open(engine.tcp, host.again(), [{ ...item, status: 'ONLINE', origin: 'plane' }])
    const command = await back.command()
    expect(command).toMatchObject({ kind: 'balancing.remove' })
    await back.report(command)
    await isGone(tree)
    await gone(engine, back)
  })
})

describe('a database that was put back', () => {
  it('takes over what a host has in a newer generation, where it says the same', async () => {
    const host = await balancingAgent(engine, 'b4', { capabilities: ['balancing:nginx'] })
    const tree = await engine.make({ provider: 'nginx', build: listener(80) })
    const command = await host.command()
    await host.report(command)
    await gone(engine, host)
    const back = await WireAgent.open(engine.tcp, host.again(), [held(tree, 5, digestOf(intentIn(command)))])
    expect((await show(tree)).loadBalancer).toMatchObject({
      provisioningStatus: 'ACTIVE',
      generation: 5,
      goodGeneration: 5,
    })
    await gone(engine, back)
    await forget(tree)
  })

  it('leaves it to an operator where that says something else, who changes it to what holds', async () => {
    const host = await balancingAgent(engine, 'b5', { capabilities: ['balancing:nginx'] })
    const tree = await engine.make({ provider: 'nginx', build: listener(80) })
    await host.report(await host.command())
    await gone(engine, host)
    const back = await WireAgent.open(engine.tcp, host.again(), [held(tree, 5, 'of another')])
    expect((await show(tree)).loadBalancer).toMatchObject({
      provisioningStatus: 'ERROR',
      fault: { type: 'newer-on-host' },
    })
    await change(tree, listener(81))
    const command = await back.command()
    expect(command.generation).toBeGreaterThan(5)
    await back.report(command)
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
    await gone(engine, back)
    await forget(tree)
  })

  it('removes nothing of which it does not know that it was to go', async () => {
    const host = await balancingAgent(engine, 'b6', { capabilities: [] })
    const unknown = `load-balancer/${randomUUID()}`
    await gone(engine, host)
    const item = { subject: unknown, generation: 3, digest: 'x', status: 'ONLINE', origin: 'plane' as const }
    const back = await WireAgent.open(engine.tcp, host.again(), [item])
    const { body } = await engine.http.get(`/api/v1/quarantine?hostId=${back.hostId}`)
    expect(body.items).toMatchObject([{ subject: unknown, reason: 'unknown' }])
    expect(back.commands).toEqual([])
    await gone(engine, back)
  })
})

describe('what belongs to a project', () => {
  it('does not exist for those of another', async () => {
    const tree = await active()
    const stranger = { ...administrator, plane: null, projects: new Map([[randomUUID(), 'admin' as const]]) }
    const { id } = tree.loadBalancer
    await expect(engine.balancers.require(stranger, id)).rejects.toMatchObject({ type: 'not-found' })
    await expect(engine.balancers.change(stranger, id, listener(80), native)).rejects.toMatchObject({
      type: 'not-found',
    })
    await expect(engine.balancers.delete(stranger, id, { ...native, cascade: true })).rejects.toMatchObject({
      type: 'not-found',
    })
  })

  it('counts in its quotas, and nothing is kept of what is too much', async () => {
    const projectId = await createProject(engine)
    const limits = { loadBalancers: 1, listeners: 2, members: 0 }
    await engine.query('UPDATE projects SET limits = $2 WHERE id = $1', [projectId, limits])
    const tree = await engine.make({ projectId, build: listener(80) })
    await agent.report(await agent.command())
    await expect(engine.make({ projectId })).rejects.toMatchObject({ extra: { resource: 'loadBalancers' } })
    await change(tree, listener(81))
    await agent.report(await agent.command())
    await expect(change(tree, listener(82))).rejects.toMatchObject({ extra: { resource: 'listeners' } })
    const pool = randomUUID()
    const withMember: Edit = (before) =>
      createMember(pool, { address: '10.0.0.1', protocolPort: 80 })(withPool(pool)(before))
    await expect(change(tree, withMember)).rejects.toMatchObject({ extra: { resource: 'members' } })
    expect((await show(tree)).loadBalancer).toMatchObject({ provisioningStatus: 'ACTIVE', generation: 2 })
  })

  it('is named where its network is to be deleted', async () => {
    const tree = await active()
    const reply = await engine.http.delete(`/api/v1/networks/${engine.networkId}`)
    expect(reply).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:in-use' } })
    expect(reply.body.users).toContainEqual({
      noun: 'load-balancer',
      id: tree.loadBalancer.id,
      name: tree.loadBalancer.name,
    })
  })
})

describe('what has lost its command', () => {
  it('is found by the sweep, and in ERROR with all under it', async () => {
    const tree = await engine.make({ build: listener(80) })
    const command = await agent.command()
    await engine.query(`UPDATE commands SET state = 'failed', finished_at = now() - interval '1 hour' WHERE id = $1`, [
      command.id,
    ])
    await engine.query(`UPDATE load_balancers SET updated_at = now() - interval '1 hour' WHERE id = $1`, [
      tree.loadBalancer.id,
    ])
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'balancing.stuck'`)
    await eventually(async () => {
      const now = await show(tree)
      expect(now.loadBalancer).toMatchObject({ provisioningStatus: 'ERROR', fault: { type: 'unsettled' } })
      expect(now.listeners).toMatchObject([{ provisioningStatus: 'ERROR' }])
    })
  })
})

const held = (tree: Tree, generation: number, digest: string) => ({
  subject: `load-balancer/${tree.loadBalancer.id}`,
  generation,
  digest,
  status: 'ONLINE',
  origin: 'plane' as const,
})

/** Its host is away for good: what comes after it should find the place free. */
async function forget(tree: Tree): Promise<void> {
  await remove(tree)
  const subject = `load-balancer/${tree.loadBalancer.id}`
  const { body } = await engine.http.get(`/api/v1/tombstones?hostId=${tree.loadBalancer.hostId}&state=waiting`)
  const tombstone = body.items.find((one: { subject: string }) => one.subject === subject)
  expect((await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)).status).toBeLessThan(300)
  await isGone(tree)
}
