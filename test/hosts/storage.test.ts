import { execFileSync, spawn } from 'node:child_process'
import { once } from 'node:events'
import { mkdirSync, truncateSync, writeFileSync } from 'node:fs'
import { describeAsRoot } from '../agent/support/root.js'
import { verb } from '../agent/support/xmlrpc.js'
import { eventually } from '../support/eventually.js'
import { Ground } from '../trial/support/ground.js'
import { Plane } from '../trial/support/plane.js'
import { RealHost } from '../trial/support/real-host.js'

/** The one path on this machine: a real engine, a real agent, the kernel's own mounts. */
describeAsRoot('storage connections on this machine', () => {
  let ground: Ground
  let plane: Plane
  let host: RealHost
  let hostId: string

  beforeAll(async () => {
    ground = new Ground()
    plane = await Plane.start(ground)
    await plane.rest.send('PUT', '/api/v1/settings/storage.probeIntervalMs', { value: 500 })
    host = new RealHost(ground, plane, 'here')
    host.start()
    hostId = (await plane.hostUp('here')).id
  }, 120_000)
  afterAll(async () => {
    await host?.stop()
    await plane?.stop()
    ground?.clear()
  }, 60_000)

  const connections = () => `/api/v1/hosts/${hostId}/storage-connections`
  const path = (id: string) => `${connections()}/${id}`
  const put = (id: string, uri: string, options: object = {}) => plane.rest.send('PUT', path(id), { uri, options })
  const up = (id: string) => plane.connection(hostId, id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
  const gone = (id: string) =>
    eventually(async () => expect((await plane.rest.get(path(id))).status).toBe(404), { timeoutMs: 15_000 })

  function image(name: string, filesystem: 'ext4' | 'xfs'): string {
    const file = ground.path(name)
    writeFileSync(file, '')
    truncateSync(file, filesystem === 'xfs' ? 320 * 1024 * 1024 : 32 * 1024 * 1024)
    execFileSync(`mkfs.${filesystem}`, ['-q', file])
    return file
  }

  async function release(...ids: string[]): Promise<void> {
    for (const id of ids) await plane.rest.send('DELETE', path(id))
    for (const id of ids) await gone(id)
    await eventually(() => expect(host.mounts()).toEqual([]), { timeoutMs: 15_000 })
  }

  it.each(['ext4', 'xfs'] as const)('mounts an image file with %s, and lets go of it', async (filesystem) => {
    const file = image(`${filesystem}.img`, filesystem)
    expect((await put('image', `posix://${file}?fstype=${filesystem}`)).status).toBe(202)
    await up('image')
    expect(host.mounts()).toHaveLength(1)
    await release('image')
  })

  it('mounts a block device', async () => {
    const device = execFileSync('losetup', ['--find', '--show', image('device.img', 'ext4')], {
      encoding: 'utf8',
    }).trim()
    try {
      await put('device', `posix://${device}?fstype=ext4`)
      await up('device')
      expect(host.mounts()).toHaveLength(1)
      await release('device')
    } finally {
      execFileSync('losetup', ['--detach', device])
    }
  })

  it('binds a directory, and holds it once for two ids until the last is gone', async () => {
    const directory = ground.makeDirectory('shared')
    await put('one', `posix://${directory}?fstype=bind`)
    await put('two', `posix://${directory}//?fstype=bind`)
    await Promise.all([up('one'), up('two')])
    expect(host.mounts()).toHaveLength(1)
    await plane.rest.send('DELETE', path('one'))
    await gone('one')
    expect(host.mounts()).toHaveLength(1)
    await release('two')
  })

  it('mounts again what was unmounted behind its back', async () => {
    await put('back', `posix://${image('back.img', 'ext4')}?fstype=ext4`)
    await up('back')
    const [mountPoint = ''] = host.mounts()
    execFileSync('umount', [mountPoint])
    await eventually(() => expect(host.mounts()).toEqual([mountPoint]), { timeoutMs: 15_000 })
    await up('back')
    await release('back')
  })

  it('shows a connection DOWN in the words of mount, and UP once the device is repaired', async () => {
    const file = ground.path('broken.img')
    writeFileSync(file, Buffer.alloc(32 * 1024 * 1024))
    await put('broken', `posix://${file}?fstype=ext4`)
    const row = await plane.connection(hostId, 'broken', {
      provisioningStatus: 'ACTIVE',
      operatingStatus: 'DOWN',
      connected: false,
    })
    expect(row.lastError).toMatchObject({ number: 477 })
    expect(row.lastError.message).toContain('mount')
    execFileSync('mkfs.ext4', ['-q', '-F', file])
    await plane.connection(hostId, 'broken', { operatingStatus: 'UP', connected: true, lastError: null }, 60_000)
    await release('broken')
  })

  it('keeps the mount over kill -9 of the agent, and makes it anew after a reboot', async () => {
    await put('kept', `posix://${image('kept.img', 'ext4')}?fstype=ext4`)
    await up('kept')
    const before = host.mounts()
    await host.kill()
    host.start()
    await plane.hostUp('here')
    expect(host.mounts()).toEqual(before)
    await host.kill()
    for (const mountPoint of before) execFileSync('umount', [mountPoint])
    host.start()
    await eventually(() => expect(host.mounts()).toEqual(before), { timeoutMs: 30_000 })
    await up('kept')
    await release('kept')
  })

  it('shows what somebody has mounted by hand, holds the same for an id, and leaves what was there', async () => {
    const [file, place] = [image('by-hand.img', 'ext4'), ground.makeDirectory('by-hand')]
    const uri = `posix://${file}?fstype=ext4`
    const listed = async () => (await plane.rest.get(`${connections()}?managed=false`)).body.items
    const unmanaged = (entries: object[]) =>
      eventually(
        async () => expect((await listed()).filter((one: { uri: string }) => one.uri === uri)).toMatchObject(entries),
        {
          timeoutMs: 15_000,
        },
      )
    execFileSync('mount', ['-o', 'loop', file, place])
    try {
      await unmanaged([{ managed: false, origin: null, connected: true, mountPoint: place }])
      await put('taken-up', uri)
      await up('taken-up')
      await unmanaged([])
      await release('taken-up')
      await unmanaged([{ mountPoint: place }])
      expect(execFileSync('findmnt', ['-n', '-o', 'TARGET', place], { encoding: 'utf8' }).trim()).toBe(place)
    } finally {
      execFileSync('umount', [place])
    }
    await unmanaged([])
  })

  it('keeps up what a program of the host asks for, beside the plane', async () => {
    const uri = `posix://${image('own.img', 'ext4')}?fstype=ext4`
    expect((await verb(host.stateDir, 'manageStorageServer', uri, 'own')).status.code).toBe(0)
    const own = async () => (await plane.rest.get(`${connections()}?origin=host`)).body.items
    await eventually(async () => expect(await own()).toMatchObject([{ connectionId: 'own', operatingStatus: 'UP' }]), {
      timeoutMs: 15_000,
    })
    expect(host.mounts()).toHaveLength(1)
    await host.kill()
    host.start()
    // the plane may not have noticed: the next agent is there when it answers
    const list = async () => (await verb(host.stateDir, 'getStorageServerList')).connections
    await eventually(async () => expect(await list()).toMatchObject({ own: { status: 'UP' } }), { timeoutMs: 30_000 })
    await eventually(async () => expect(await own()).toMatchObject([{ connectionId: 'own', operatingStatus: 'UP' }]), {
      timeoutMs: 15_000,
    })
    expect(host.mounts()).toHaveLength(1)
    expect((await verb(host.stateDir, 'unmanageStorageServer', 'own')).status.code).toBe(0)
    await eventually(async () => expect(await own()).toEqual([]), { timeoutMs: 15_000 })
    await eventually(() => expect(host.mounts()).toEqual([]), { timeoutMs: 15_000 })
  })

  it('shows since when a directory that was bound cannot be let go of, and why', async () => {
    const uri = `posix://${ground.makeDirectory('busy')}?fstype=bind`
    const list = async () => Object.values((await verb(host.stateDir, 'getStorageServerList')).connections ?? {})
    const ofTarget = async () => (await list()).filter(({ connectionInfo }) => connectionInfo.target === uri)
    await verb(host.stateDir, 'manageStorageServer', uri, 'busy')
    await eventually(async () => expect(await ofTarget()).toMatchObject([{ status: 'UP' }]), { timeoutMs: 15_000 })
    const [mountPoint = ''] = host.mounts()
    const user = spawn('sleep', ['300'], { cwd: mountPoint, stdio: 'ignore' })
    await once(user, 'spawn')
    try {
      await verb(host.stateDir, 'unmanageStorageServer', 'busy')
      const lastError = {
        code: 452,
        type: 'disconnect',
        message: expect.stringContaining('busy'),
        at: expect.any(Date),
      }
      await eventually(
        async () =>
          expect(await ofTarget()).toMatchObject([
            { managed: false, status: 'DISCONNECTING', connectionInfo: { mountPoint }, lastError },
          ]),
        { timeoutMs: 15_000 },
      )
    } finally {
      user.kill('SIGKILL')
      await once(user, 'exit')
    }
    await eventually(() => expect(host.mounts()).toEqual([]), { timeoutMs: 60_000 })
    await eventually(async () => expect(await ofTarget()).toEqual([]), { timeoutMs: 15_000 })
  })

  it('says what it holds without an engine', async () => {
    const directory = ground.makeDirectory('offline')
    await put('offline', `local://${directory}`)
    await up('offline')
    await plane.kill()
    const status = await host.status()
    expect(JSON.stringify(status.holds)).toContain('offline')
    await plane.start()
    await plane.hostUp('here')
    await plane.rest.send('DELETE', path('offline'))
    await gone('offline')
  })

  it('reports the loss and the return of a local directory', async () => {
    const directory = ground.makeDirectory('local')
    await put('local', `local://${directory}`)
    await up('local')
    execFileSync('rmdir', [directory])
    await plane.connection(hostId, 'local', { operatingStatus: 'DOWN' })
    mkdirSync(directory)
    await plane.connection(hostId, 'local', { operatingStatus: 'UP' }, 60_000)
    await plane.rest.send('DELETE', path('local'))
    await gone('local')
  })
})
