import { execFileSync } from 'node:child_process'
import { mkdirSync, readdirSync, rmdirSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { daemonsOf } from '../../src/agent/host/daemons.js'
import { eventually } from '../support/eventually.js'
import { Ground } from '../trial/support/ground.js'
import { promisedMs } from '../trial/support/scale.js'
import { GlusterServer } from './support/gluster-server.js'
import { describeWith } from './support/needs.js'
import { startTriedHost, type TriedHost } from './support/tried-host.js'

const PROBE_MS = 500
const programs = ['glusterd', 'gluster', 'glusterfs', 'ip', 'unshare', 'nsenter']

describeWith(programs, 'a GlusterFS volume on this machine', () => {
  let ground: Ground
  let tried: TriedHost
  let plane: TriedHost['plane']
  let host: TriedHost['host']
  let server: GlusterServer
  let hostId: string

  beforeAll(async () => {
    ground = new Ground()
    server = await GlusterServer.start(ground)
    tried = await startTriedHost(ground, { probeMs: PROBE_MS, patienceMs: 30_000 })
    ;({ plane, host, hostId } = tried)
  }, 120_000)
  afterAll(async () => {
    await tried?.stop()
    await server?.stop()
    ground?.clear()
  }, 60_000)

  const path = (id: string) => tried.path(id)
  const put = (id: string, uri: string, options: object = {}) => plane.rest.send('PUT', path(id), { uri, options })
  const seen = (id: string, wanted: object, timeoutMs?: number) => tried.seen(id, wanted, timeoutMs)
  const up = (id: string) => tried.up(id)
  const mountPoint = () => join(host.stateDir, 'mnt', 'glusterSD', `${server.address}:_${server.volume}`)
  const clients = () => daemonsOf('glusterfs', mountPoint())

  async function release(...ids: string[]): Promise<void> {
    for (const id of ids) await plane.rest.send('DELETE', path(id))
    await eventually(
      async () => {
        for (const id of ids) expect((await plane.rest.get(path(id))).status).toBe(404)
        expect(host.mounts()).toEqual([])
        expect(await clients()).toEqual([])
        // the agent's last step: whoever mounts there by hand meanwhile loses the directory
        expect(readdirSync(join(host.stateDir, 'mnt', 'glusterSD'))).toEqual([])
      },
      { timeoutMs: 20_000 },
    )
  }

  it('is what the host says it can connect', async () => {
    const { body } = await plane.rest.get(`/api/v1/hosts/${hostId}`)
    expect(body.capabilities).toContain('storage:glusterfs')
  })

  it('is mounted once for two spellings, holds files, and leaves no mount, process, directory or log behind', async () => {
    await put('one', server.uri)
    await put('two', `GLUSTERFS://${server.address}:24007/${server.volume}//`)
    await Promise.all([up('one'), up('two')])
    expect(host.mounts()).toEqual([mountPoint()])
    expect(await clients()).toHaveLength(1)
    writeFileSync(join(mountPoint(), 'file'), 'content')
    expect(readdirSync(server.path(''))).toContain('file')
    await plane.rest.send('DELETE', path('one'))
    await eventually(async () => expect((await plane.rest.get(path('one'))).status).toBe(404))
    expect(host.mounts()).toEqual([mountPoint()])
    await release('two')
    for (const directory of ['mnt/glusterSD', 'log/glusterfs']) {
      await eventually(() => expect(readdirSync(join(host.stateDir, directory))).toEqual([]))
    }
  })

  it('is mounted by a directory of it, whose name holds blanks', async () => {
    mkdirSync(server.path('two words'))
    await put('below', `${server.uri}/two words`, { ro: '' })
    await up('below')
    const [mounted = ''] = host.mounts()
    expect(mounted).toBe(`${mountPoint()}_two words`)
    expect(() => writeFileSync(join(mounted, 'file'), '')).toThrow(/EROFS|EACCES|EPERM/)
    await release('below')
  })

  it('that does not exist is DOWN in the words of its client, and nothing of the attempts stays', async () => {
    await put('never', `glusterfs://${server.address}/nothing`)
    const row = await seen('never', { provisioningStatus: 'ACTIVE', operatingStatus: 'DOWN', connected: false })
    expect(row.lastError.message).toContain('failed to fetch volume file')
    await plane.rest.send('DELETE', path('never'))
    await eventually(async () => expect((await plane.rest.get(path('never'))).status).toBe(404))
    expect(await daemonsOf('glusterfs', join(host.stateDir, 'mnt', 'glusterSD', `${server.address}:_nothing`))).toEqual(
      [],
    )
  })

  it('refuses other options for what is held, naming those that differ', async () => {
    await put('holder', server.uri, { ro: '' })
    await up('holder')
    expect((await put('guest', server.uri)).status).toBe(202)
    const row = await seen('guest', { provisioningStatus: 'ERROR' })
    expect(row.fault).toMatchObject({ type: 'options-conflict', number: 453 })
    expect(row.fault.message).toContain('is held by another id of this host with other options: ro differs')
    await release('holder', 'guest')
  })

  it('is back within two intervals when it is unmounted behind its back', async () => {
    await put('back', server.uri)
    await up('back')
    execFileSync('umount', [mountPoint()])
    const lostAt = Date.now()
    await eventually(() => expect(host.mounts()).toEqual([mountPoint()]), { timeoutMs: 30_000, intervalMs: 20 })
    // connecting takes its own time
    expect(Date.now() - lostAt).toBeLessThan(promisedMs(2 * PROBE_MS + 1500))
    await up('back')
    await release('back')
  })

  it('is connected anew when its client dies', async () => {
    await put('client', server.uri)
    await up('client')
    const before = await clients()
    for (const pid of before) process.kill(pid, 'SIGKILL')
    // DOWN it is for a moment only: whoever looks now and then may not see it
    await eventually(async () => expect((await clients()).filter((pid) => !before.includes(pid))).toHaveLength(1), {
      timeoutMs: 30_000,
    })
    await up('client')
    expect(host.mounts()).toEqual([mountPoint()])
    expect(await clients()).toHaveLength(1)
    await release('client')
  })

  it('is DOWN with words while its brick is dead, and heals by itself', async () => {
    await put('heals', server.uri)
    await up('heals')
    const before = await clients()
    await server.killBrick()
    const row = await seen('heals', { operatingStatus: 'DOWN', connected: false })
    expect(row.lastError).toMatchObject({ type: 'connect', number: 451 })
    expect(row.lastError.message).toContain('Transport endpoint is not connected')
    await server.startBrick()
    await seen('heals', { operatingStatus: 'UP', lastError: null })
    expect(await clients()).toEqual(before)
    await release('heals')
  })

  it('that is down when it is asked for is answered at once, and connects when it is there', async () => {
    await server.killBrick()
    const askedAt = Date.now()
    await put('later', server.uri)
    expect(Date.now() - askedAt).toBeLessThan(promisedMs(1_000))
    const row = await seen('later', { provisioningStatus: 'ACTIVE', operatingStatus: 'DOWN' })
    expect(row.lastError.message).not.toBe('')
    await server.startBrick()
    await up('later')
    await release('later')
  })

  it('survives kill -9 of the agent without being mounted anew', async () => {
    await put('kept', server.uri)
    await up('kept')
    const before = await clients()
    await host.kill()
    host.start()
    await plane.hostUp('here')
    await up('kept')
    expect(await clients()).toEqual(before)
    await release('kept')
  })

  it('that somebody had mounted there before is not let go of', async () => {
    const place = mountPoint()
    mkdirSync(place, { recursive: true })
    const log = ground.path('before.log')
    execFileSync('glusterfs', [
      `--volfile-server=${server.address}`,
      `--volfile-id=${server.volume}`,
      `--log-file=${log}`,
      place,
    ])
    await put('before', server.uri)
    await up('before')
    await plane.rest.send('DELETE', path('before'))
    await eventually(async () => expect((await plane.rest.get(path('before'))).status).toBe(404))
    expect(host.mounts()).toEqual([place])
    execFileSync('umount', [place])
    rmdirSync(place)
    await eventually(async () => expect(await clients()).toEqual([]))
  })

  it('is STUCK in less than 15 s while its server is frozen, and holds up nothing else', async () => {
    await plane.rest.send('PUT', '/api/v1/settings/storage.probeIntervalMs', { value: 10_000 })
    const other = ground.makeDirectory('other')
    await put('frozen', server.uri)
    await put('other', `local://${other}`)
    await Promise.all([up('frozen'), up('other')])
    // told of the setting by its next session
    await host.kill()
    host.start()
    await plane.hostUp('here')
    await Promise.all([up('frozen'), up('other')])
    server.signalBrick('SIGSTOP')
    const frozenAt = Date.now()
    try {
      rmdirSync(other)
      await seen('frozen', { operatingStatus: 'STUCK', connected: false }, promisedMs(15_000))
      expect(Date.now() - frozenAt).toBeLessThan(promisedMs(15_000))
      await seen('other', { operatingStatus: 'DOWN' }, 15_000)
      const askedAt = Date.now()
      expect((await plane.rest.get(`/api/v1/hosts/${hostId}`)).body.status).toBe('Up')
      expect(Date.now() - askedAt).toBeLessThan(promisedMs(1_000))
    } finally {
      server.signalBrick('SIGCONT')
    }
    await seen('frozen', { operatingStatus: 'UP' }, 30_000)
    await plane.rest.send('DELETE', path('other'))
    await release('frozen')
  }, 120_000)
})
