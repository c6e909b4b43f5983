import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { Connections } from './support/connections.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { AGENT_STATE, OUTSIDE, START_MS, type VirtualHost } from './support/virtual-host.js'
import { countNow } from './support/watch.js'
import { World } from './support/world.js'

const disks = 'iqn.2026-11.org.example:disks'
const guarded = 'iqn.2026-11.org.example:guarded'
const chap = { user: 'host1', password: 'canary-of-the-target' }
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
    const [started, booted] = await Promise.all([world.plane(), world.host('h1')])
    plane = started
    host = booted
    server = world.with(await IscsiServer.start(world.ground, [{ iqn: disks }, { iqn: guarded, chap }]))
    await host.joinAndStartAgent(await plane.joinToken())
    held = new Connections(plane, (await plane.hostUp('h1', START_MS)).id)
  }, MAKING_MS + 240_000)
  afterEach(async () => held.release(...(await held.settled())), 120_000)
  afterAll(() => world?.end(), 60_000)

  const uri = (query = '', name = disks) => `iscsi://${OUTSIDE}:${server.ports[0]}/${name}${query}`
  const sessions = (name = disks) => countNow(host, ['sessions', name])
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

  it('proves itself by CHAP, by way of files alone, and says 476 where the target does not believe it', async () => {
    const attempts = await host.exec(['/opt/keelson/node', '--input-type=module', '-'], {
      input: chapScript(uri(`?chapUser=${chap.user}`, guarded)),
      timeoutMs: 120_000,
    })
    expect(JSON.parse(attempts)).toEqual([
      { fault: { type: 'authentication', number: 476, message: expect.not.stringContaining('canary') }, files: '' },
      { fault: null, files: expect.stringMatching(/^600 \S+\/keelson\n$/) },
      { files: '' },
    ])
    expect(await sessions(guarded)).toBe(0)
  }, 180_000)
})

/** The driver itself: what it leaves behind is looked at between its steps. */
const chapScript = (uri: string) => `
  import { execFileSync } from 'node:child_process'
  const { createIscsiDriver } = await import('/opt/keelson/dist/src/agent/storage/drivers/iscsi.js')
  const { readArguments } = await import('/opt/keelson/dist/src/wire/storage/arguments.js')
  const driver = createIscsiDriver()
  const files = () => execFileSync('find', ['/etc/iscsi', '-name', 'keelson*', '-path', '*nodes*', '-printf', '%m %p\\n'], { encoding: 'utf8' })
  const said = []
  for (const chapPassword of ['canary-that-is-wrong', '${chap.password}']) {
    const asked = readArguments({ uri: '${uri}', credentials: { chapPassword } })
    const fault = await driver.connect(asked.uri, asked).then(() => null, ({ type, number, message }) => ({ type, number, message }))
    said.push({ fault, files: files() })
    if (fault === null) await driver.disconnect(asked.uri, 'gently')
  }
  console.log(JSON.stringify([...said, { files: files() }]))
`
