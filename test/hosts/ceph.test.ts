import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, readdirSync, readFileSync, rmdirSync, statSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { daemonsOf } from '../../src/agent/host/daemons.js'
import { eventually } from '../support/eventually.js'
import { Ground } from '../trial/support/ground.js'
import { CephCluster } from './support/ceph-cluster.js'
import { describeWith } from './support/needs.js'
import { startTriedHost, type TriedHost } from './support/tried-host.js'

const PROBE_MS = 500
const programs = ['ceph', 'ceph-fuse', 'ceph-mon', 'ceph-osd', 'ceph-mds', 'ip', 'unshare', 'nsenter']

describeWith(programs, 'a CephFS of this machine', () => {
  let ground: Ground
  let tried: TriedHost
  let plane: TriedHost['plane']
  let host: TriedHost['host']
  let cluster: CephCluster
  let hostId: string
  let secret: string

  beforeAll(async () => {
    ground = new Ground()
    cluster = await CephCluster.start(ground)
    secret = cluster.key('admin')
    tried = await startTriedHost(ground, { probeMs: PROBE_MS, patienceMs: 60_000 })
    ;({ plane, host, hostId } = tried)
  }, 180_000)
  afterAll(async () => {
    await tried?.stop()
    await cluster?.stop()
    ground?.clear()
  }, 60_000)

  const path = (id: string) => tried.path(id)
  const uri = (below = '') => `ceph://${cluster.address}/${below}`
  const put = (id: string, asked: string, { options = {}, key = secret } = {}) =>
    plane.rest.send('PUT', path(id), { uri: asked, options, credentials: { secret: key } })
  const seen = (id: string, wanted: object, timeoutMs?: number) => tried.seen(id, wanted, timeoutMs)
  const up = (id: string) => tried.up(id)
  const mountPoint = (name = '') => join(host.stateDir, 'mnt', 'ceph', `${cluster.address}:_${name}`)
  const clients = (name = '') => daemonsOf('ceph-fuse', mountPoint(name))
  const keys = (): string[] => (existsSync(keyRoot()) ? readdirSync(keyRoot()) : [])
  const keyRoot = () => join(host.stateDir, 'keys')

  async function release(...ids: string[]): Promise<void> {
    for (const id of ids) await plane.rest.send('DELETE', path(id))
    await eventually(
      async () => {
        for (const id of ids) expect((await plane.rest.get(path(id))).status).toBe(404)
        expect(host.mounts()).toEqual([])
        expect(await clients()).toEqual([])
        expect(readdirSync(join(host.stateDir, 'mnt', 'ceph'))).toEqual([])
        expect(keys()).toEqual([])
      },
      { timeoutMs: 20_000 },
    )
  }

  /** Of all processes: what anybody on the host can read of them. */
  function processesThatShow(text: string): string[] {
    return readdirSync('/proc')
      .filter((name) => /^\d+$/.test(name))
      .flatMap((pid) => ['cmdline', 'environ'].map((file) => `/proc/${pid}/${file}`))
      .filter((file) => {
        try {
          return readFileSync(file, 'utf8').includes(text)
        } catch {
          return false
        }
      })
  }

  it('is what the host says it can connect', async () => {
    const { body } = await plane.rest.get(`/api/v1/hosts/${hostId}`)
    expect(body.capabilities).toContain('storage:ceph')
  })

  it('is mounted once for two spellings, holds files, and leaves no mount, process, directory or key behind', async () => {
    await put('one', uri())
    await put('two', `CEPH://${cluster.address}:6789//`)
    await Promise.all([up('one'), up('two')])
    expect(host.mounts()).toEqual([mountPoint()])
    expect(await clients()).toHaveLength(1)
    expect(keys()).toEqual([])
    writeFileSync(join(mountPoint(), 'file'), 'content')
    await plane.rest.send('DELETE', path('one'))
    await eventually(async () => expect((await plane.rest.get(path('one'))).status).toBe(404))
    expect(host.mounts()).toEqual([mountPoint()])
    await release('two')
    await put('again', uri())
    await up('again')
    expect(readFileSync(join(mountPoint(), 'file'), 'utf8')).toBe('content')
    await release('again')
  })

  it('is mounted by a directory of it, with a key that opens nothing else', async () => {
    await put('whole', uri())
    await up('whole')
    mkdirSync(join(mountPoint(), 'two; words'))
    await release('whole')
    const key = cluster.key('kim', 'mon', 'allow r', 'mds', 'allow r path="/two; words"', 'osd', 'allow r')
    await put('below', uri('two%3B%20words?fs=files'), { options: { user: 'kim', ro: '' }, key })
    await up('below')
    const [mounted = ''] = host.mounts()
    expect(() => writeFileSync(join(mounted, 'file'), '')).toThrow(/EROFS|EACCES|EPERM/)
    await release('below')
    await put('closed', uri(), { options: { user: 'kim' }, key })
    const row = await seen('closed', { operatingStatus: 'DOWN', connected: false })
    expect(row.lastError).toMatchObject({ type: 'permission', number: 469 })
    await release('closed')
  })

  it('to which a key does not fit is DOWN with 476, and the key is nowhere', async () => {
    const wrong = `${secret.slice(0, 20)}${'A'.repeat(18)}==`
    await put('wrong', uri(), { key: wrong })
    const row = await seen('wrong', { operatingStatus: 'DOWN', connected: false })
    expect(row.lastError).toMatchObject({ type: 'authentication', number: 476 })
    expect(JSON.stringify(row)).not.toContain(wrong)
    await release('wrong')
  })

  it('that does not exist is DOWN in the words of its client, and nothing of the attempts stays', async () => {
    await put('never', uri('?fs=nothing'))
    const row = await seen('never', { provisioningStatus: 'ACTIVE', operatingStatus: 'DOWN', connected: false })
    expect(row.lastError.message).toContain('ceph mount failed')
    await release('never')
  })

  it('is back when it is unmounted behind its back, and when its client dies', async () => {
    await put('back', uri())
    await up('back')
    const [first] = await clients()
    execFileSync('umount', [mountPoint()])
    await eventually(async () => expect((await clients()).filter((pid) => pid !== first)).toHaveLength(1), {
      timeoutMs: 30_000,
    })
    await up('back')
    expect(host.mounts()).toEqual([mountPoint()])
    const second = await clients()
    for (const pid of second) process.kill(pid, 'SIGKILL')
    // DOWN it is for a moment only: whoever looks now and then may not see it
    await eventually(async () => expect((await clients()).filter((pid) => !second.includes(pid))).toHaveLength(1), {
      timeoutMs: 30_000,
    })
    await up('back')
    expect(await clients()).toHaveLength(1)
    await release('back')
  })

  it('is connected anew when its cluster has shut its client out', async () => {
    await put('evicted', uri())
    await up('evicted')
    const before = await clients()
    await eventually(() => cluster.evictClients())
    await eventually(
      async () => {
        expect(await clients()).toHaveLength(1)
        expect(await clients()).not.toEqual(before)
      },
      { timeoutMs: 30_000 },
    )
    await up('evicted')
    writeFileSync(join(mountPoint(), 'after'), '')
    await release('evicted')
  })

  it('survives kill -9 of the agent without being mounted anew', async () => {
    await put('kept', uri())
    await up('kept')
    const before = await clients()
    await host.kill()
    host.start()
    await plane.hostUp('here')
    await up('kept')
    expect(await clients()).toEqual(before)
    await release('kept')
  })

  it('whose cluster is frozen when it is asked for waits with its key in a file that nobody else reads', async () => {
    cluster.signal('SIGSTOP')
    try {
      await put('later', uri())
      const [key = ''] = await eventually(async () => {
        expect(await clients()).not.toEqual([])
        expect(keys()).toHaveLength(1)
        return keys()
      })
      expect(statSync(join(keyRoot(), key)).mode & 0o777).toBe(0o600)
      expect(statSync(keyRoot()).mode & 0o777).toBe(0o700)
      expect(processesThatShow(secret)).toEqual([])
    } finally {
      cluster.signal('SIGCONT')
    }
    await up('later')
    expect(keys()).toEqual([])
    await release('later')
  })

  it('is STUCK while its cluster is frozen, holds up nothing else, and is UP again when it thaws', async () => {
    const other = ground.makeDirectory('other')
    await put('frozen', uri())
    await plane.rest.send('PUT', path('other'), { uri: `local://${other}` })
    await Promise.all([up('frozen'), up('other')])
    cluster.signal('SIGSTOP')
    try {
      await seen('frozen', { operatingStatus: 'STUCK', connected: false })
      rmdirSync(other)
      await seen('other', { operatingStatus: 'DOWN' })
      expect((await plane.rest.get(`/api/v1/hosts/${hostId}`)).body.status).toBe('Up')
    } finally {
      cluster.signal('SIGCONT')
    }
    await seen('frozen', { operatingStatus: 'UP', lastError: null })
    await plane.rest.send('DELETE', path('other'))
    await release('frozen')
  }, 120_000)
})
