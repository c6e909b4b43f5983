import { setTimeout as pause } from 'node:timers/promises'
import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { promisedMs } from '../trial/support/scale.js'
import { Connections } from './support/connections.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { NfsServer } from './support/nfs-server.js'
import { OUTSIDE, type VirtualHost } from './support/virtual-host.js'
import { countNow } from './support/watch.js'
import { World } from './support/world.js'

const disks = 'iqn.2026-11.org.example:disks'

/** As operators have it: probing takes its usual time. */
const STUCK_MS = 15_000
const P95_MS = promisedMs(1_000)
const LOOKS_WHILE_FROZEN = 100

describeWithHosts('storage servers and a virtual host', () => {
  let world: World
  let plane: Plane
  let host: VirtualHost
  let held: Connections
  let nfs: NfsServer
  let iscsi: IscsiServer

  beforeAll(async () => {
    world = await World.make()
    ;[plane, host] = await world.planeAndHost()
    nfs = world.with(await NfsServer.start(world.ground, ['images']))
    iscsi = world.with(await IscsiServer.start(world.ground, [{ iqn: disks }]))
    await host.sh('mkdir -p /srv/directory')
    held = await Connections.of(plane, host)
  }, MAKING_MS + 300_000)
  afterEach(async () => {
    nfs.thaw()
    iscsi.thaw()
    await held.release(...(await held.settled()))
  }, 120_000)
  afterAll(() => world?.end(), 60_000)

  const nfsUri = (name: string) => `nfs://${OUTSIDE}:${nfs.port}/${name}`
  const iscsiUri = (iqn: string, portal = 0) => `iscsi://${OUTSIDE}:${iscsi.ports[portal]}/${iqn}`

  it.each(['3', '4.1', '4.2'])(
    'mounts version %s of NFS when it is asked for',
    async (version) => {
      await held.hold('versioned', { uri: `${nfsUri('images')}?version=${version}` })
      expect(await host.agentMounts()).toMatchObject([
        { superOptions: expect.arrayContaining([`vers=${version}`, 'soft']) },
      ])
    },
    120_000,
  )

  it('holds one session for each portal of a target', async () => {
    await held.hold('portal-1', { uri: iscsiUri(disks, 0) })
    await held.hold('portal-2', { uri: iscsiUri(disks, 1) })
    expect(await countNow(host, ['sessions', disks])).toBe(2)
    await held.release('portal-1')
    await eventually(async () => expect(await countNow(host, ['sessions', disks])).toBe(1), { timeoutMs: 30_000 })
    await held.up('portal-2')
  }, 120_000)

  it('says within seconds that an NFS server is frozen; nobody else notices, and it heals', async () => {
    await held.hold('frozen', { uri: nfsUri('images') })
    await held.hold('directory', { uri: 'local:///srv/directory' })
    await held.hold('disk', { uri: iscsiUri(disks) })
    const { statusSince } = await plane.hostUp('h1')
    nfs.freeze()
    const frozenMs = performance.now()
    const tookMs: number[] = []
    const stuck = held
      .shows('frozen', { operatingStatus: 'STUCK' }, promisedMs(STUCK_MS))
      .then(() => performance.now() - frozenMs)
    stuck.catch(() => undefined)
    for (let n = 0; n < LOOKS_WHILE_FROZEN; n += 1) {
      const looks = ['directory', 'disk'].map((id) => held.get(id))
      for (const reply of await Promise.all(looks)) {
        expect(reply.body).toMatchObject({ operatingStatus: 'UP' })
        tookMs.push(reply.tookMs)
      }
      await pause(STUCK_MS / LOOKS_WHILE_FROZEN)
    }
    process.stdout.write(`STUCK ${((await stuck) / 1_000).toFixed(1)} s after SIGSTOP\n`)
    expect(tookMs.sort((a, b) => a - b)[Math.floor(tookMs.length * 0.95)]).toBeLessThan(P95_MS)
    await held.hold('meanwhile', { uri: 'local:///srv/directory' })
    // no heartbeat was missed
    expect(await plane.hostUp('h1', P95_MS)).toMatchObject({ statusSince })
    nfs.thaw()
    await held.up('frozen')
  }, 240_000)

  it('shows a frozen iSCSI server, and heals', async () => {
    await held.hold('frozen', { uri: iscsiUri(disks) })
    iscsi.freeze()
    const row = await held.shows(
      'frozen',
      { operatingStatus: expect.stringMatching(/^(STUCK|DEGRADED|DOWN)$/) },
      30_000,
    )
    expect(row.lastError).toMatchObject({ message: expect.any(String) })
    iscsi.thaw()
    await held.up('frozen')
    expect(await countNow(host, ['sessions', disks])).toBe(1)
  }, 180_000)

  it('lets go of what is frozen', async () => {
    await held.hold('frozen', { uri: nfsUri('images') })
    await held.hold('other', { uri: 'local:///srv/directory' })
    nfs.freeze()
    await held.shows('frozen', { operatingStatus: 'STUCK' }, promisedMs(STUCK_MS))
    await held.release('frozen')
    await eventually(async () => expect(await host.agentMounts()).toEqual([]), { timeoutMs: 60_000, intervalMs: 200 })
  }, 180_000)
})
