import { readdirSync } from 'node:fs'
import { eventually } from '../support/eventually.js'
import type { Plane } from '../trial/support/plane.js'
import { describeWithHosts } from './support/described.js'
import { MAKING_MS } from './support/image.js'
import { IscsiServer } from './support/iscsi-server.js'
import { NfsServer } from './support/nfs-server.js'
import { OUTSIDE, START_MS, type VirtualHost } from './support/virtual-host.js'
import { World } from './support/world.js'

const disks = 'iqn.2026-11.org.example:disks'
const guarded = 'iqn.2026-11.org.example:guarded'
const chap = { user: 'joe', password: 'right-password' }
const PATIENCE_MS = 60_000

/** One host of its own kernel, which has what this machine's may lack: `nfs` and `iscsi_tcp`. */
describeWithHosts('a virtual host', () => {
  let world: World
  let plane: Plane
  let host: VirtualHost
  let hostId: string

  beforeAll(async () => {
    world = await World.make()
    const [started, booted] = await Promise.all([world.plane(), world.host('h1')])
    plane = started
    host = booted
    process.stdout.write(`the guest answers after ${(host.bootMs / 1_000).toFixed(1)} s\n`)
  }, MAKING_MS + 120_000)
  afterAll(() => world?.end(), 60_000)

  const up = async () => {
    const { id } = await plane.hostUp('h1', START_MS)
    return id as string
  }
  const connected = (id: string) =>
    plane.connection(hostId, id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP', connected: true }, PATIENCE_MS)

  it('boots within a minute', () => {
    expect(host.bootMs).toBeLessThan(60_000)
  })

  it('joins over TLS with the token that it is given, and is Up', async () => {
    const said = await host.join(await plane.joinToken())
    expect(said).toContain('This machine is host h1')
    await host.startAgent()
    hostId = await up()
    const { body } = await plane.rest.get(`/api/v1/hosts/${hostId}`)
    expect(body.facts).toMatchObject({ hostname: 'h1', kernel: expect.stringContaining('cloud-amd64') })
  }, 240_000)

  it('holds a directory and a mounted image', async () => {
    await host.sh('mkdir -p /srv/directory; truncate -s 32M /srv/image; mkfs.ext4 -q /srv/image')
    expect((await plane.put(hostId, 'directory', 'local:///srv/directory')).status).toBe(202)
    expect((await plane.put(hostId, 'image', 'posix:///srv/image?fstype=ext4')).status).toBe(202)
    await Promise.all(['directory', 'image'].map(connected))
    expect(await host.agentMounts()).toMatchObject([{ fsType: 'ext4' }])
  }, 240_000)

  it('keeps them over kill -9 of the agent: the same ids, the same mount', async () => {
    const before = await host.agentMounts()
    await host.killAgent()
    await plane.hostAway('h1')
    await host.startAgent()
    await up()
    await Promise.all(['directory', 'image'].map(connected))
    expect(await host.agentMounts()).toEqual(before)
  }, 240_000)

  it('makes them anew after a power cut, by itself', async () => {
    const before = await host.bootId()
    await host.reboot()
    expect(await host.bootId()).not.toBe(before)
    await eventually(async () => expect(await host.agentMounts()).toMatchObject([{ fsType: 'ext4' }]), {
      timeoutMs: START_MS,
      intervalMs: 500,
    })
    await up()
    await Promise.all(['directory', 'image'].map(connected))
  }, 480_000)

  it('mounts NFS 3, 4.1 and 4.2 of a server outside', async () => {
    const server = world.with(await NfsServer.start(world.ground, ['images']))
    for (const version of ['3', '4.1', '4.2']) {
      const options = `vers=${version},port=${server.port},nolock,soft`
      await host.sh(
        `mkdir -p /mnt/nfs; mount -t nfs -o ${options} ${OUTSIDE}:/images /mnt/nfs; touch /mnt/nfs/v${version}`,
      )
      const mount = (await host.mounts()).find(({ mountPoint }) => mountPoint === '/mnt/nfs')
      expect(mount?.superOptions).toContain(`vers=${version}`)
      await host.exec(['umount', '/mnt/nfs'])
    }
    expect(readdirSync(server.directory('images')).sort()).toEqual(['v3', 'v4.1', 'v4.2'])
    await server.stop()
  }, 240_000)

  it('logs in at an iSCSI target outside, and not with a wrong password', async () => {
    const server = world.with(await IscsiServer.start(world.ground, [{ iqn: disks }, { iqn: guarded, chap }]))
    const node = (iqn: string, ...words: string[]) => {
      return host.run(['iscsiadm', '-m', 'node', '-T', iqn, '-p', `${OUTSIDE}:${server.ports[0]}`, ...words])
    }
    const authenticate = async (password: string) => {
      const record = { authmethod: 'CHAP', username: chap.user, password }
      const words = Object.entries(record).flatMap(([key, value]) => ['-n', `node.session.auth.${key}`, '-v', value])
      expect(await node(guarded, '-o', 'update', ...words)).toMatchObject({ code: 0 })
    }
    for (const iqn of [disks, guarded]) expect(await node(iqn, '-o', 'new')).toMatchObject({ code: 0 })
    expect(await node(disks, '--login')).toMatchObject({ code: 0 })
    expect(await host.exec(['cat', '/sys/class/iscsi_session/session1/state'])).toBe('LOGGED_IN\n')
    await authenticate('wrong-password')
    expect(await node(guarded, '--login')).toMatchObject({ code: 24 })
    await authenticate(chap.password)
    expect(await node(guarded, '--login')).toMatchObject({ code: 0 })
    for (const iqn of [disks, guarded]) expect(await node(iqn, '--logout')).toMatchObject({ code: 0 })
    await server.stop()
  }, 240_000)
})
