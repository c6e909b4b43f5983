import 'reflect-metadata'
import { spawn } from 'node:child_process'
import { mkdir, readdir, readFile, stat, writeFile } from 'node:fs/promises'
import { basename, join } from 'node:path'
import { faultOf } from '../../src/agent/fault.js'
import type { StorageDriver } from '../../src/agent/storage/driver.js'
import { createCephDriver } from '../../src/agent/storage/drivers/ceph.js'
import { createGlusterfsDriver, glusterfsArguments } from '../../src/agent/storage/drivers/glusterfs.js'
import { createNfsDriver } from '../../src/agent/storage/drivers/nfs.js'
import { createPosixDriver } from '../../src/agent/storage/drivers/posix.js'
import { readArguments, type StorageOptions } from '../../src/wire/storage/arguments.js'
import type { StorageScheme, UriOf } from '../../src/wire/storage/uri.js'
import { eventually } from '../support/eventually.js'
import { exited, FakeHost } from './support/mount-table.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

const limits = { timeoutMs: 100, signal: new AbortController().signal, own: [] }
const failure = (work: Promise<unknown>) => work.then(() => null, faultOf)

/** The driver of a scheme on a host of its own, with what one connection is asked for with. */
async function place<S extends StorageScheme>(
  make: (options: { stateDir: string; host: FakeHost }) => StorageDriver<S>,
  uri: string,
  {
    options,
    credentials,
    fsTypes,
  }: { options?: StorageOptions; credentials?: StorageOptions; fsTypes?: StorageOptions } = {},
) {
  const host = new FakeHost(fsTypes)
  const stateDir = await temporaryDirectory()
  const driver = make({ stateDir, host })
  const read = readArguments({ uri, options, credentials })
  // the test names the scheme twice: in `make` and in the URI
  const address = read.uri as UriOf<S>
  return {
    host,
    stateDir,
    driver,
    connect: () => driver.connect(address, read),
    disconnect: (grip: 'gently' | 'firmly' | 'lazily') => driver.disconnect(address, grip),
    isConnected: () => driver.isConnected(address),
    probe: () => driver.probe(address, read.options, limits),
  }
}

const common = (stateDir: string, host: FakeHost) => ({
  mountRoot: join(stateDir, 'mnt'),
  run: host.run,
  readMounts: host.readMounts,
  isRoot: true,
})
const nfs = ({ stateDir, host }: { stateDir: string; host: FakeHost }) => createNfsDriver(common(stateDir, host))
const posix = ({ stateDir, host }: { stateDir: string; host: FakeHost }) => createPosixDriver(common(stateDir, host))
const ceph = ({ stateDir, host }: { stateDir: string; host: FakeHost }) =>
  createCephDriver({ ...common(stateDir, host), keyRoot: join(stateDir, 'keys') })
const glusterfs = ({ stateDir, host }: { stateDir: string; host: FakeHost }) =>
  createGlusterfsDriver({ ...common(stateDir, host), logRoot: join(stateDir, 'log') })

describe('nfs', () => {
  it.each<[uri: string, options: StorageOptions, argv: string, mountPoint: string]>([
    [
      'nfs://server:a_b//c/',
      {},
      'mount -t nfs -o nodev,nosuid,soft,nosharecache,timeo=100,retrans=3,retry=0,nolock server:/a_b/c',
      'server:_a__b_c',
    ],
    [
      'nfs://server/a?version=4.1',
      { ro: '', timeo: '50' },
      'mount -t nfs -o nodev,nosuid,ro,soft,nosharecache,timeo=50,retrans=3,retry=0,vers=4.1 server:/a',
      'server:_a',
    ],
    [
      'nfs://server:2050/a?version=3',
      { hard: 'true' },
      'mount -t nfs -o nodev,nosuid,hard,nosharecache,timeo=100,retrans=3,retry=0,vers=3,nolock,port=2050 server:/a',
      'server:2050:_a',
    ],
    [
      'nfs://[2001:db8::1]/two words?version=4',
      {},
      'mount -t nfs -o nodev,nosuid,soft,nosharecache,timeo=100,retrans=3,retry=0,vers=4 [2001:db8::1]:/two words',
      '[2001:db8::1]:_two words',
    ],
  ])('%s with %j is mounted with limits on how long it may hang', async (uri, options, argv, mountPoint) => {
    const at = await place(nfs, uri, { options })
    await at.connect()
    expect(at.host.calls).toEqual([`${argv} ${join(at.stateDir, 'mnt', mountPoint)}`])
    expect(await at.isConnected()).toBe(true)
    await at.connect()
    expect(at.host.calls).toHaveLength(1)
  })

  it('is recognised in the mount table, however its source ends', async () => {
    const at = await place(nfs, 'nfs://server/a')
    const mountPoint = join(at.stateDir, 'mnt', 'server:_a')
    at.host.show(mountPoint, 'SERVER:/a/', 'nfs4')
    expect(await at.isConnected()).toBe(true)
    await at.connect()
    expect(at.host.calls).toEqual([])
  })

  it('is not taken for another source, nor mounted over it', async () => {
    const at = await place(nfs, 'nfs://server/a')
    at.host.show(join(at.stateDir, 'mnt', 'server:_a'), 'other:/a', 'nfs4')
    expect(await at.isConnected()).toBe(false)
    expect(await failure(at.connect())).toMatchObject({ message: expect.stringContaining('taken by other:/a (nfs4)') })
    await at.disconnect('lazily')
    expect(at.host.mounts).toHaveLength(1)
  })

  it('is let go of without asking its server, and by force only where that is asked for', async () => {
    const at = await place(nfs, 'nfs://server/a')
    const mountPoint = join(at.stateDir, 'mnt', 'server:_a')
    await at.connect()
    at.host.answers = (program, args) =>
      program === 'umount' && !args.includes('-l') ? exited(32, 'umount: target is busy.') : null
    expect(await failure(at.disconnect('gently'))).toMatchObject({ type: 'disconnect', number: 452 })
    await at.disconnect('firmly')
    expect(at.host.calls.slice(1)).toEqual([
      `umount -c -i ${mountPoint}`,
      `umount -c -i ${mountPoint}`,
      `umount -c -i -f -l ${mountPoint}`,
    ])
    expect(await readdir(join(at.stateDir, 'mnt'))).toEqual([])
  })

  it.each<[words: string, type: string, number: number]>([
    ['mount.nfs: Connection refused', 'connect', 451],
    ['mount.nfs: Connection timed out', 'connect', 451],
    ['mount.nfs: Failed to resolve server server: Name or service not known', 'connect', 451],
    ['mount.nfs: access denied by server while mounting server:/a', 'permission', 469],
    ['mount.nfs: Stale file handle', 'stale', 384],
    ['mount.nfs: mounting server:/a failed, reason given by server: No such file or directory', 'mount', 477],
    ['mount.nfs: requested NFS version or transport protocol is not supported', 'mount', 477],
  ])('that fails with %j says so by type and number, and leaves nothing behind', async (words, type, number) => {
    const at = await place(nfs, 'nfs://server/a')
    at.host.answers = () => exited(32, words)
    expect(await failure(at.connect())).toEqual({ type, number, message: words })
    expect(await readdir(join(at.stateDir, 'mnt'))).toEqual([])
  })

  it.each<[words: string, type: string, heals: boolean]>([
    ['find: server: Input/output error', 'connect', true],
    ['find: server: Connection timed out', 'connect', true],
    ['find: server: Stale file handle', 'stale', false],
    ['find: server: Permission denied', 'permission', false],
  ])('that answers %j is down, and heals by itself: %s, %s', async (words, type, heals) => {
    const at = await place(nfs, 'nfs://server/a')
    await at.connect()
    at.host.answers = (program) => (program === 'find' ? exited(1, words) : null)
    expect(await at.probe()).toMatchObject({ seen: 'down', heals, fault: { type } })
  })

  it('names what is missing on the host before anybody tries', async () => {
    const { driver, host } = await place(nfs, 'nfs://server/a')
    host.answers = () => exited(1)
    const kernel = (await readFile('/proc/filesystems', 'utf8')).includes('nfs')
    const obstacle = await driver.obstacle()
    if (kernel) return expect(obstacle).toBeNull()
    expect(obstacle).toMatchObject({ type: 'unsupported', message: expect.stringMatching(/mount\.nfs|filesystem nfs/) })
  })
})

describe('posix of a server', () => {
  it.each([
    ['nfs', 'nfs4', 'nodev,nosuid,soft,nosharecache,timeo=100,retrans=3,retry=0'],
    ['lustre', 'lustre', 'nodev,nosuid'],
  ])('is what mount(8) is given as server:/path with the type %s', async (type, shown, words) => {
    const at = await place(posix, `posix://server/a/b?fstype=${type}`, { fsTypes: { [type]: shown } })
    await at.connect()
    const mountPoint = join(at.stateDir, 'mnt', 'posix', type, 'server:_a_b')
    expect(at.host.calls).toEqual([`mount -t ${type} -o ${words} server:/a/b ${mountPoint}`])
    expect(await at.isConnected()).toBe(true)
    await at.disconnect('gently')
    expect(at.host.calls.at(-1)).toBe(`umount -c -i ${mountPoint}`)
  })

  it('is recognised by its type and source, and not by its name alone', async () => {
    const at = await place(posix, 'posix://server/a?fstype=lustre')
    const mountPoint = join(at.stateDir, 'mnt', 'posix', 'lustre', 'server:_a')
    at.host.show(mountPoint, '10.0.0.1@tcp:/b', 'lustre')
    expect(await at.isConnected()).toBe(false)
    at.host.lose(mountPoint)
    at.host.show(mountPoint, '10.0.0.1@tcp:/a', 'nfs4')
    expect(await at.isConnected()).toBe(false)
    at.host.lose(mountPoint)
    at.host.show(mountPoint, '10.0.0.1@tcp:/a', 'lustre')
    expect(await at.isConnected()).toBe(true)
  })

  it('has a mount point apart from that of the same export over nfs', async () => {
    const viaPosix = await place(posix, 'posix://server/a?fstype=nfs')
    const viaNfs = await place(nfs, 'nfs://server/a')
    await viaPosix.connect()
    await viaNfs.connect()
    const below = ({ host, stateDir }: typeof viaNfs | typeof viaPosix) =>
      host.mounts[0]?.mountPoint.slice(stateDir.length)
    expect(below(viaPosix)).not.toBe(below(viaNfs))
  })
})

describe('glusterfs', () => {
  const argumentsFor = (uri: string, options: StorageOptions = {}) => {
    const read = readArguments({ uri, options })
    return glusterfsArguments(read.uri as UriOf<'glusterfs'>, read, '/log', '/mnt')
  }

  it('is mounted by its client, whose log stays with the agent', () => {
    expect(argumentsFor('glusterfs://server/volume')).toEqual([
      '--volfile-server=server',
      '--volfile-id=volume',
      '--fuse-mountopts=nosuid,nodev',
      '--process-name=fuse',
      '--log-level=WARNING',
      '--log-file=/log',
      '/mnt',
    ])
  })

  it('passes each part as one argument, and names the servers that stand in', () => {
    const options = { backupServers: 'two:three', ro: '', directIo: 'enable', transport: 'tcp' }
    const all = argumentsFor('glusterfs://[2001:db8::1]:24008/volume/a b --volfile=x', options)
    expect(all).toEqual(
      expect.arrayContaining([
        '--volfile-server=2001:db8::1',
        '--volfile-server=two',
        '--volfile-server=three',
        '--volfile-server-port=24008',
        '--volfile-server-transport=tcp',
        '--subdir-mount=/a b --volfile=x',
        '--direct-io-mode=enable',
        '--read-only',
      ]),
    )
  })

  it("that does not answer once it is mounted is let go of, in its client's words", async () => {
    const at = await place(glusterfs, 'glusterfs://server/volume', { fsTypes: { glusterfs: 'fuse.glusterfs' } })
    const mountPoint = join(at.stateDir, 'mnt', 'glusterSD', 'server:_volume')
    const log = join(at.stateDir, 'log', 'server:_volume.log')
    at.host.answers = (program) => {
      if (program !== 'find') return null
      void writeFile(
        log,
        '[2026-01-31 12:00:00.0 +0000] E [MSGID: 101075] [common-utils.c:513:gf_resolve] 0-resolver: no such host\n',
      )
      return exited(1, 'find: Transport endpoint is not connected')
    }
    const fault = await failure(at.connect())
    expect(fault).toMatchObject({ type: 'connect', number: 451 })
    expect(fault?.message).toContain('Transport endpoint is not connected')
    expect(at.host.calls.at(-1)).toBe(`umount -c -i -f -l ${mountPoint}`)
    expect(at.host.mounts).toEqual([])
    expect(await readdir(join(at.stateDir, 'log'))).toEqual([])
    expect(await readdir(join(at.stateDir, 'mnt', 'glusterSD'))).toEqual([])
  })

  it('whose client fails while its mount is still shown is not taken for mounted', async () => {
    const at = await place(glusterfs, 'glusterfs://server/volume')
    const mountPoint = join(at.stateDir, 'mnt', 'glusterSD', 'server:_volume')
    at.host.answers = (program) => {
      if (program !== 'glusterfs') return null
      at.host.show(mountPoint, 'server:volume', 'fuse.glusterfs')
      return exited(107)
    }
    expect(await failure(at.connect())).toMatchObject({ message: 'not connected: none of its servers answers' })
    expect(at.host.mounts).toEqual([])
  })

  it('whose client ends before it is mounted says so', async () => {
    const at = await place(glusterfs, 'glusterfs://server/volume')
    at.host.answers = () => exited(0)
    expect(await failure(at.connect())).toMatchObject({
      type: 'connect',
      message: expect.stringContaining('client has ended'),
    })
    expect(at.host.calls).toHaveLength(1)
  })

  it('is connected anew when its client is gone', async () => {
    const at = await place(glusterfs, 'glusterfs://server/volume', { fsTypes: { glusterfs: 'fuse.glusterfs' } })
    await at.connect()
    at.host.answers = (program) => (program === 'find' ? exited(1, 'find: Transport endpoint is not connected') : null)
    expect(await at.probe()).toMatchObject({ seen: 'down', heals: false })
  })
})

describe('ceph', () => {
  const secret = 'AQBTn2Fngl0oLBAAe5g3nPtTDnU4vYbPfPZq8A=='
  const fsTypes = { 'ceph-fuse': 'fuse.ceph-fuse' }

  it.each([
    ['ceph://mon/two words', 'mon:_two%20words'],
    ['ceph://mon/$(reboot);`x`%25', 'mon:_%24%28reboot%29%3B%60x%60%25'],
    ['ceph://mon/ö', 'mon:_%C3%B6'],
    ['ceph://[2001:db8::1]/a_/b', expect.stringMatching(/^%5B2001:db8::1%5D:_a___b-[0-9a-f]{32}_$/)],
  ])('%s has a mount point that a shell leaves as it is: its client hands it to one', async (uri, name) => {
    const at = await place(ceph, uri, { credentials: { secret }, fsTypes })
    await at.connect()
    expect(at.host.mounts.map(({ mountPoint }) => basename(mountPoint))).toEqual([name])
    expect(await at.isConnected()).toBe(true)
  })

  it('is mounted with its key in a file that nobody else may read, and that is gone afterwards', async () => {
    const at = await place(ceph, 'ceph://mon2,mon1/a?fs=data&user=kim', { credentials: { secret }, fsTypes })
    const keyring = join(at.stateDir, 'keys', 'mon1,mon2:data:_a.keyring')
    const seen: string[] = []
    const { run } = at.host
    const driver = createCephDriver({
      ...common(at.stateDir, at.host),
      keyRoot: join(at.stateDir, 'keys'),
      run: async (program, args, options) => {
        seen.push(await readFile(keyring, 'utf8'), ((await stat(keyring)).mode & 0o777).toString(8))
        return run(program, args, options)
      },
    })
    const read = readArguments({ uri: 'ceph://mon2,mon1/a?fs=data&user=kim', credentials: { secret } })
    await driver.connect(read.uri as UriOf<'ceph'>, read)
    expect(seen).toEqual([`[client.kim]\n\tkey = ${secret}\n`, '600'])
    expect(at.host.calls.join('\n')).toContain(
      `-m mon1,mon2 --id kim --keyring=${keyring} --client_mountpoint=/a --client_fs=data`,
    )
    expect(at.host.calls.join('\n')).not.toContain(secret)
    expect(await readdir(join(at.stateDir, 'keys'))).toEqual([])
    expect(await at.isConnected()).toBe(true)
  })

  it('that fails keeps its key nowhere, and does not say it', async () => {
    const at = await place(ceph, 'ceph://mon/a', { credentials: { secret }, fsTypes })
    at.host.answers = () =>
      exited(1, `error parsing file: val=${secret}: Malformed input; ceph mount failed with (110) Connection timed out`)
    const fault = await failure(at.connect())
    expect(fault).toMatchObject({ type: 'connect', number: 451 })
    expect(fault?.message).toContain('val=***: Malformed input')
    expect(await readdir(join(at.stateDir, 'keys'))).toEqual([])
  })

  it('whose monitor does not take the key is 476', async () => {
    const at = await place(ceph, 'ceph://mon/a', { credentials: { secret }, fsTypes })
    at.host.answers = () =>
      exited(
        1,
        'monclient(hunting): handle_auth_bad_method server allowed_methods [2] but i only support [2,1]\n' +
          'failed to fetch mon config (--no-mon-config to skip)\n',
      )
    expect(await failure(at.connect())).toMatchObject({ type: 'authentication', number: 476 })
  })

  it('leaves no key behind that a crash has left, and takes none away that a client is to read', async () => {
    const at = await place(ceph, 'ceph://mon/a', { credentials: { secret }, fsTypes })
    await at.driver.tidy?.()
    const keys = join(at.stateDir, 'keys')
    const seen: string[][] = []
    await mkdir(keys)
    await writeFile(join(keys, 'mon:_old.keyring'), secret)
    const driver = createCephDriver({
      ...common(at.stateDir, at.host),
      keyRoot: keys,
      run: async (program, args, options) => {
        await driver.tidy?.()
        seen.push(await readdir(keys))
        return at.host.run(program, args, options)
      },
    })
    const read = readArguments({ uri: 'ceph://mon/a', credentials: { secret } })
    await driver.connect(read.uri as UriOf<'ceph'>, read)
    expect(seen).toEqual([['mon:_a.keyring']])
    expect(await readdir(keys)).toEqual([])
  })

  it('heals by itself while its client runs, unless its cluster has shut that out', async () => {
    const at = await place(ceph, 'ceph://mon/a', { credentials: { secret }, fsTypes })
    await at.connect()
    const mountPoint = join(at.stateDir, 'mnt', 'ceph', 'mon:_a')
    const client = spawn(process.execPath, ['-e', 'setInterval(() => {}, 60_000)', mountPoint], { argv0: 'ceph-fuse' })
    whenTestEnds(async () => void client.kill('SIGKILL'))
    const seen = (words: string) => {
      at.host.answers = (program) => (program === 'find' ? exited(1, `find: ${words}`) : null)
      return at.probe()
    }
    await eventually(async () => {
      expect(await seen('Input/output error')).toMatchObject({ seen: 'down', heals: true })
    })
    for (const words of ['Cannot send after transport endpoint shutdown', 'No such file or directory']) {
      expect(await seen(words)).toMatchObject({ seen: 'down', heals: false })
    }
  })

  it('takes no key that somebody else has put there for its own', async () => {
    const at = await place(ceph, 'ceph://mon/', { credentials: { secret }, fsTypes })
    await mkdir(join(at.stateDir, 'keys'))
    await writeFile(join(at.stateDir, 'keys', 'mon:_.keyring'), 'old', { mode: 0o644 })
    await at.connect()
    expect(await readdir(join(at.stateDir, 'keys'))).toEqual([])
  })
})
