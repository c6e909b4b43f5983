import { randomUUID } from 'node:crypto'
import { mkdirSync, readdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { type Run, run } from '../../src/agent/host/run.js'
import type { VipPlaces } from '../../src/agent/networks/vip-place.js'
import { createVipPlaces } from '../../src/agent/networks/vip-places.js'
import { temporaryDirectory, whenTestEnds } from '../agent/support/temporary.js'
import { eventually } from '../support/eventually.js'
import { attach, bridgeName, endBridge, interfaceOf, ip, listen, namespaceOf, reach } from './support/bridges.js'
import { describeWith } from './support/needs.js'

const vip = (address: string, network: object) => ({
  address,
  network: {
    id: 'n',
    cidr: '10.213.0.0/24',
    gateway: null,
    bridge: null,
    createBridge: false,
    uplink: null,
    vlan: null,
    hostIsGateway: false,
    ...network,
  },
})

/** What a failing test leaves of them goes. */
async function places(options: { run?: Run; probeMs?: number; patienceMs?: number } = {}) {
  const stateDir = await temporaryDirectory()
  const made = new Set<string>()
  const open = (): VipPlaces => {
    const real = createVipPlaces({ run, stateDir, probeMs: 1_000, patienceMs: 0, ...options })
    return {
      ...real,
      ensure: (id, wanted) => {
        made.add(id)
        return real.ensure(id, wanted)
      },
    }
  }
  whenTestEnds(async () => {
    for (const id of made) await createVipPlaces({ run, stateDir }).remove(id)
  })
  return { stateDir, places: open(), open }
}

const name = (id: string) => `kl-${id.replaceAll('-', '').slice(0, 11)}`

/** Every run that is not only a look. */
function counted(): { readonly run: Run; changes: string[] } {
  const seen = {
    changes: [] as string[],
    run: ((program, args, options) => {
      const batch = args.at(-2) === '-batch' ? readFileSync(args.at(-1)!, 'utf8') : ''
      if (!/^(link|addr|route) show/.test(batch)) seen.changes.push(batch || args.join(' '))
      return run(program, args, options)
    }) as Run,
  }
  return seen
}

describeWith(['ip', 'sysctl', 'arping'], 'the place of a VIP on a bridge', () => {
  it('is reached over the bridge, is not when it is taken down, and leaves nothing when it is removed', async () => {
    const { places: there, stateDir } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    const wanted = vip('10.213.0.5', { bridge, createBridge: true, gateway: '10.213.0.1', hostIsGateway: true })
    const place = await there.ensure(id, wanted)
    expect(place.enter).toEqual(['ip', 'netns', 'exec', place.namespace])
    const client = attach(bridge, '10.213.0.9/24')
    expect(await reach(client, '10.213.0.5')).toBe('reached')
    expect(await reach(client, '10.213.0.1')).toBe('reached')
    expect(await there.list()).toContain(id)
    await there.takeDown(id)
    expect(await reach(client, '10.213.0.5')).toBe('nobody')
    expect(await there.list()).toContain(id)
    expect(await there.ensure(id, wanted)).toEqual(place)
    expect(await reach(client, '10.213.0.5')).toBe('reached')
    const inside = ip('-n', place.namespace!, 'route', 'show', 'default')
    expect(inside).toContain('via 10.213.0.1')
    client.detach()
    await there.remove(id)
    expect(interfaceOf(bridge)).toBeNull()
    expect(interfaceOf(place.namespace!)).toBeNull()
    expect(namespaceOf(place.namespace!)).toBeNull()
    expect(await there.list()).not.toContain(id)
    expect(readdirSync(join(stateDir, 'networks'))).toEqual([])
    await there.remove(id)
    await there.takeDown(id)
  })

  it('is left alone when it is as it should be', async () => {
    const watched = counted()
    const { places: there, open } = await places({ run: watched.run })
    const bridge = bridgeName()
    const id = randomUUID()
    const wanted = vip('10.213.0.5', { bridge, createBridge: true, gateway: '10.213.0.1' })
    await there.ensure(id, wanted)
    watched.changes = []
    await there.ensure(id, wanted)
    // after a restart of the agent, too
    await open().ensure(id, wanted)
    expect(watched.changes).toEqual([])
    await there.remove(id)
  })

  it('lets programs listen on its VIP before that is there', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    const place = await there.ensure(id, vip('10.213.0.5', { bridge, createBridge: true }))
    await there.takeDown(id)
    expect(await listen(place, '10.213.0.5')).toBe('listens')
    await there.remove(id)
  })

  it('is one of several on a bridge, which stays for the others and for what was there before', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const [first, second] = [randomUUID(), randomUUID()]
    await Promise.all([
      there.ensure(first, vip('10.213.0.5', { bridge, createBridge: true })),
      there.ensure(second, vip('10.213.0.6', { bridge, createBridge: true })),
    ])
    expect(await there.list()).toEqual(expect.arrayContaining([first, second]))
    await there.remove(first)
    expect(interfaceOf(bridge)).not.toBeNull()
    await there.remove(second)
    expect(interfaceOf(bridge)).toBeNull()

    ip('link', 'add', bridge, 'type', 'bridge')
    endBridge(bridge)
    await there.ensure(first, vip('10.213.0.5', { bridge, createBridge: true }))
    await there.remove(first)
    expect(interfaceOf(bridge)).not.toBeNull()
  })

  it('is refused where the bridge is missing and not to be made, by its name', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    await expect(there.ensure(id, vip('10.213.0.5', { bridge }))).rejects.toMatchObject({
      type: 'bridge-missing',
      message: `this host has no bridge ${bridge}`,
    })
    await there.remove(id)
    expect(await there.list()).not.toContain(id)
  })

  it('is reached through the uplink of a bridge that it made, which is let go of with it', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    const client = attach(null, '10.213.0.9/24')
    const wanted = vip('10.213.0.5', { bridge, createBridge: true, uplink: client.uplink })
    await there.ensure(id, wanted)
    expect(await reach(client, '10.213.0.5')).toBe('reached')
    await expect(
      there.ensure(randomUUID(), vip('10.213.0.6', { ...wanted.network, bridge: bridgeName() })),
    ).rejects.toMatchObject({ type: 'uplink-in-use' })
    await there.remove(id)
    expect(interfaceOf(bridge)).toBeNull()
    expect(interfaceOf(client.uplink)).not.toContain('master')
    const missing = vip('10.213.0.6', { bridge, createBridge: true, uplink: 'klt-none' })
    await expect(there.ensure(id, missing)).rejects.toMatchObject({ type: 'uplink-missing' })
    ip('addr', 'add', '10.214.0.1/24', 'dev', client.uplink)
    await expect(there.ensure(id, wanted)).rejects.toMatchObject({
      type: 'uplink-in-use',
      message: `${client.uplink} has the address 10.214.0.1 of this host, and would lose it`,
    })
    await there.remove(id)
    expect(interfaceOf(bridge)).toBeNull()
  })

  it('has an IPv6 address as well as another', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    const wanted = vip('fd00:213::5', { cidr: 'fd00:213::/64', gateway: 'fd00:213::1', bridge, createBridge: true })
    await there.ensure(id, wanted)
    const client = attach(bridge, 'fd00:213::9/64')
    expect(await reach(client, 'fd00:213::5')).toBe('reached')
    await there.takeDown(id)
    expect(await reach(client, 'fd00:213::5')).toBe('nobody')
    await there.ensure(id, wanted)
    expect(await reach(client, 'fd00:213::5')).toBe('reached')
    client.detach()
    await there.remove(id)
    expect(interfaceOf(bridge)).toBeNull()
  })

  it('is told to everybody on the network: whoever knew another place of the VIP finds it at once', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const [first, second] = [randomUUID(), randomUUID()]
    const wanted = vip('10.213.0.5', { bridge, createBridge: true })
    await there.ensure(first, wanted)
    const client = attach(bridge, '10.213.0.9/24')
    expect(await reach(client, '10.213.0.5')).toBe('reached')
    await there.takeDown(first)
    const { namespace } = await there.ensure(second, wanted)
    const mac = /link\/ether (\S+)/.exec(ip('-n', namespace!, 'link', 'show', 'vip'))![1]!
    await eventually(() => expect(ip('-n', client.name, 'neigh', 'show', '10.213.0.5')).toContain(mac))
    client.detach()
    await there.remove(first)
    await there.remove(second)
  })

  it('is not up while somebody else answers for the address, and comes up when they do not', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const [first, second] = [randomUUID(), randomUUID()]
    const wanted = vip('10.213.0.5', { bridge, createBridge: true })
    await there.ensure(first, wanted)
    await expect(there.ensure(second, wanted)).rejects.toMatchObject({
      type: 'address-in-use',
      message: expect.stringMatching(/^10\.213\.0\.5 is answered for by [0-9A-F:]{17} on the network$/),
    })
    await there.takeDown(first)
    await there.ensure(second, wanted)
    await expect(there.ensure(first, wanted)).rejects.toMatchObject({ type: 'address-in-use' })
    await there.remove(first)
    await there.remove(second)
  })

  it('of IPv6 is not up either while somebody else has the address', async () => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const [first, second] = [randomUUID(), randomUUID()]
    const wanted = vip('fd00:213::5', { cidr: 'fd00:213::/64', bridge, createBridge: true })
    await there.ensure(first, wanted)
    // the kernel takes its time to find that out, and to be sure of its own
    await eventually(() => expect(ip('netns', 'exec', name(first), 'ip', '-6', 'addr')).not.toContain('tentative'))
    await eventually(async () => {
      await expect(there.ensure(second, wanted)).rejects.toMatchObject({ type: 'address-in-use' })
    })
    await there.remove(first)
    await there.ensure(second, wanted)
    await there.remove(second)
  })

  it.each([
    ['a name of a namespace and nothing behind it', (called: string) => writeFileSync(`/run/netns/${called}`, '')],
    ['a namespace', (called: string) => ip('netns', 'add', called)],
    [
      'half a pair',
      (called: string) => {
        ip('netns', 'add', called)
        ip('link', 'add', called, 'type', 'veth', 'peer', 'name', 'vip', 'netns', called)
      },
    ],
    [
      'a bridge that is down',
      (_: string, bridge: string) => ip('link', 'add', bridge, 'group', '27500', 'type', 'bridge'),
    ],
  ])('is made of what a crash has left: %s', async (_, leave) => {
    const { places: there } = await places()
    const bridge = bridgeName()
    const [id, another] = [randomUUID(), randomUUID()]
    // the directory of namespaces, on a host that never had one
    mkdirSync('/run/netns', { recursive: true })
    leave(name(id), bridge)
    const wanted = vip('10.213.0.5', { bridge, createBridge: true })
    const { namespace } = await there.ensure(id, wanted)
    const client = attach(bridge, '10.213.0.9/24')
    expect(await reach(client, '10.213.0.5')).toBe('reached')
    client.detach()
    await there.remove(id)
    expect([interfaceOf(bridge), interfaceOf(namespace!), namespaceOf(namespace!)]).toEqual([null, null, null])
    // and is removed from it
    leave(name(another), bridge)
    await there.remove(another)
    expect([interfaceOf(name(another)), namespaceOf(name(another))]).toEqual([null, null])
    endBridge(bridge)
  })

  it('is whole again and goes whole, wherever the steps before were cut off', async () => {
    const bridge = bridgeName()
    const id = randomUUID()
    const wanted = vip('10.213.0.5', { bridge, createBridge: true, gateway: '10.213.0.1' })
    for (let steps = 0, cut = true; cut; steps++) {
      cut = false
      let left = steps
      const limited: Run = async (program, args, options) => {
        if (--left >= 0) return run(program, args, options)
        cut = true
        return { outcome: 'not-started', error: new Error('cut off') }
      }
      const { stateDir, places: after } = await places({ probeMs: 50 })
      const before = createVipPlaces({ run: limited, stateDir, probeMs: 50 })
      await before.ensure(id, wanted).catch(() => undefined)
      const { namespace } = await after.ensure(id, wanted)
      expect(ip('-n', namespace!, 'addr', 'show', 'dev', 'vip')).toContain('10.213.0.5/24')
      expect(ip('-n', namespace!, 'route', 'show', 'default')).toContain('10.213.0.1')
      left = steps
      await before.remove(id).catch(() => undefined)
      await after.remove(id)
      expect([interfaceOf(bridge), interfaceOf(namespace!), namespaceOf(namespace!)]).toEqual([null, null, null])
      expect(await after.list()).not.toContain(id)
    }
  })

  it.each([
    ['10.213.0.5', '10.213.0.9/24', '10.213.0.0/24', null],
    ['10.213.0.5', '10.213.0.9/24', '10.213.0.0/24', '10.213.0.1'],
    ['fd00:213::5', 'fd00:213::9/64', 'fd00:213::/64', null],
  ])('goes by itself, %s, when nobody has renewed it for its time', async (address, client, cidr, gateway) => {
    const { places: there, open } = await places({ probeMs: 50 })
    const bridge = bridgeName()
    const id = randomUUID()
    const wanted = vip(address, { bridge, createBridge: true, cidr, gateway })
    there.lastFor(3_000)
    await there.ensure(id, wanted)
    const from = attach(bridge, client)
    expect(await reach(from, address)).toBe('reached')
    // a new agent renews it
    const next = open()
    next.lastFor(5_000)
    const renewedAt = performance.now()
    expect(await next.renew(id)).toBe(true)
    expect(ip('netns', 'exec', name(id), 'ip', 'addr', 'show', 'dev', 'vip')).toMatch(/valid_lft [45]sec/)
    await eventually(() => expect(ip('-n', name(id), 'addr', 'show', 'dev', 'vip')).not.toContain(`${address}/`))
    expect(performance.now() - renewedAt).toBeGreaterThan(4_000)
    expect(await reach(from, address)).toBe('nobody')
    // and what is gone is not brought back by that
    expect(await next.renew(id)).toBe(false)
    expect(ip('-n', name(id), 'addr', 'show', 'dev', 'vip')).not.toContain(`${address}/`)
    await next.ensure(id, wanted)
    expect(await reach(from, address)).toBe('reached')
    await next.takeDown(id)
    expect(await next.renew(id)).toBe(false)
    from.detach()
    await next.remove(id)
    expect(await next.renew(id)).toBe(false)
  })

  it('is listed where the agent’s state was lost', async () => {
    const { places: there } = await places()
    const { places: fresh } = await places()
    const bridge = bridgeName()
    const id = randomUUID()
    await there.ensure(id, vip('10.213.0.5', { bridge, createBridge: true }))
    expect(await fresh.list()).toContain(id)
    await fresh.remove(id)
    expect(await fresh.list()).not.toContain(id)
    expect(interfaceOf(bridge)).toBeNull()
    await there.remove(id)
  })
})

describeWith(['ip'], 'a VIP of the host’s own', () => {
  const onLoopback = (address: string) => ip('addr', 'show', 'dev', 'lo').includes(`${address}/`)

  it('that the host has stays as it is', async () => {
    const watched = counted()
    const { places: there } = await places({ run: watched.run })
    const id = randomUUID()
    expect(await there.ensure(id, vip('127.3.4.5', { cidr: '127.0.0.0/8' }))).toEqual({ namespace: null, enter: [] })
    expect(await there.list()).toContain(id)
    await there.takeDown(id)
    await there.remove(id)
    expect(watched.changes).toEqual([])
    expect(await there.list()).not.toContain(id)
  })

  it.each(['10.213.9.9', 'fd00:213:9::9'])('%s is added to it, and taken away again', async (address) => {
    const { places: there, open } = await places()
    const id = randomUUID()
    const wanted = vip(address, { cidr: address.includes(':') ? 'fd00:213:9::/64' : '10.213.9.0/24' })
    await there.ensure(id, wanted)
    expect(onLoopback(address)).toBe(true)
    await there.takeDown(id)
    expect(onLoopback(address)).toBe(false)
    await there.takeDown(id)
    await there.ensure(id, wanted)
    // it is known to be ours by another life of the agent
    const again = open()
    await again.ensure(id, wanted)
    await again.remove(id)
    expect(onLoopback(address)).toBe(false)
  })

  it('is refused where the agent may not add it', async () => {
    const stateDir = await temporaryDirectory()
    const there = createVipPlaces({ run, stateDir, isRoot: false })
    await expect(there.ensure(randomUUID(), vip('10.213.9.9', {}))).rejects.toMatchObject({ type: 'permission' })
    const bridged = vip('10.213.0.5', { bridge: bridgeName(), createBridge: true })
    await expect(there.ensure(randomUUID(), bridged)).rejects.toMatchObject({ type: 'permission' })
  })
})
