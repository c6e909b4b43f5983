import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { Connections } from './support/connections.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { AGENT_STATE, OUTSIDE, type VirtualHost } from './support/virtual-host.js'
import { countNow } from './support/watch.js'
import { World } from './support/world.js'

const disks = 'iqn.2026-11.org.example:disks'
/** Noticed in 10 s, and back within some more under emulation. */
const NOTICED_MS = 30_000
const HEALED_MS = 60_000

/** What only iSCSI has, on a real host with a real target. */
describeWithHosts('iSCSI on a virtual host', () => {
  let world: World
  let plane: Plane
  let host: VirtualHost
  let held: Connections
  let server: IscsiServer

  beforeAll(async () => {
    world = await World.make()
    ;[plane, host] = await world.planeAndHost()
    server = world.with(await IscsiServer.start(world.ground, [{ iqn: disks }]))
    held = await Connections.of(plane, host)
  }, MAKING_MS + 240_000)
  afterEach(async () => held.release(...(await held.settled())), 120_000)
  afterAll(() => world?.end(), 60_000)

  const uri = (query: string) => `iscsi://${OUTSIDE}:${server.ports[0]}/${disks}${query}`
  const sessions = () => countNow(host, ['sessions', disks])
  const status = ['agent', 'status', '--state-dir', AGENT_STATE]
  const session = (attribute: string) => host.sh(`cat /sys/class/iscsi_session/session*/${attribute}`)
  const disk = async () =>
    `/dev/${(await host.sh('ls /sys/class/iscsi_session/session*/device/target*/*/block')).trim()}`

  it('is shared by ids of several units, each of which sees its own', async () => {
    await held.hold('one', { uri: uri('?lun=1') })
    expect(await held.put('nine', { uri: uri('?lun=9') })).toMatchObject({ status: 202 })
    const row = await held.shows('nine', { operatingStatus: 'DOWN', connected: false })
    expect(row.lastError).toMatchObject({ type: 'iscsi-lun', number: 451 })
    await held.up('one')
    expect(await sessions()).toBe(1)
    expect(await session('ifacename')).toBe('keelson\n')
  }, 120_000)

  it('shows a lost connection, and is back by itself with the same session', async () => {
    await held.hold('lost', { uri: uri('?lun=1') })
    const before = await host.sh('ls /sys/class/iscsi_session')
    await server.kill()
    const row = await held.shows('lost', { operatingStatus: 'DEGRADED' }, NOTICED_MS)
    expect(row.lastError).toMatchObject({ type: 'iscsi-session' })
    await server.start()
    await held.up('lost', HEALED_MS)
    expect(await host.sh('ls /sys/class/iscsi_session')).toBe(before)
  }, 180_000)

  it('is not let go of while its disk is mounted, and then is', async () => {
    await held.hold('busy', { uri: uri('?lun=1') })
    await host.sh(`mke2fs -q -t ext4 ${await disk()}; mkdir -p /mnt/busy; mount ${await disk()} /mnt/busy`)
    expect(await held.delete('busy')).toMatchObject({ status: 202 })
    await eventually(
      async () => expect(await host.keelson(status)).toMatch(/DISCONNECTING.*is mounted on \/mnt\/busy/s),
      {
        timeoutMs: 60_000,
        intervalMs: 1_000,
      },
    )
    expect(await sessions()).toBe(1)
    await host.exec(['umount', '/mnt/busy'])
    await eventually(async () => expect(await sessions()).toBe(0), { timeoutMs: 60_000, intervalMs: 500 })
    expect(await host.sh('find /etc/iscsi/nodes -type f')).toBe('')
  }, 240_000)
})
