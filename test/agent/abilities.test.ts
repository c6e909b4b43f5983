import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { AbilityWatch, abilitiesOf } from '../../src/agent/abilities.js'
import { missingOf } from '../../src/agent/host/needs.js'
import { run } from '../../src/agent/host/run.js'
import type { HostDrivers } from '../../src/agent/host-keepers.js'
import { silentLogger } from '../../src/agent/logger.js'
import type { StorageDrivers } from '../../src/agent/storage/driver.js'
import { createPosixDriver } from '../../src/agent/storage/drivers/posix.js'
import type { Fault } from '../../src/wire/session.js'
import { storageSchemes } from '../../src/wire/storage/uri.js'
import { eventually } from '../support/eventually.js'
import { exited, FakeHost } from './support/mount-table.js'
import { ScriptedStorage } from './support/storage.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

/** Drivers of which one has something in its way. */
function drivers(obstacleOfNfs: () => Fault | null): StorageDrivers {
  const { driver } = new ScriptedStorage()
  const all = storageSchemes.map((scheme) => [
    scheme,
    scheme === 'nfs' ? { ...driver, obstacle: async () => obstacleOfNfs() } : driver,
  ])
  return Object.fromEntries(all) as StorageDrivers
}

const only = (storage: StorageDrivers): HostDrivers => ({
  storage,
  balancing: { devices: [], places: null },
  hypervisor: null,
})

const missing: Fault = { type: 'unsupported', message: 'the program mount.nfs is not installed' }

describe('what a host can do', () => {
  it('is a capability for each scheme, or the name of what is missing', async () => {
    const { capabilities, lacks } = await abilitiesOf(only(drivers(() => missing)))
    expect(capabilities).toContain('storage:glusterfs')
    expect(capabilities).not.toContain('storage:nfs')
    expect(lacks).toEqual([{ capability: 'storage:nfs', message: missing.message }])
  })

  it('is a capability for each type that posix mounts, or the name of what that type misses', async () => {
    const host = new FakeHost()
    host.answers = () => exited(1)
    const posix = createPosixDriver({ mountRoot: '/nowhere', run: host.run, isRoot: true })
    const { capabilities, lacks } = await abilitiesOf(only({ ...drivers(() => null), posix }))
    expect(capabilities).toEqual(expect.arrayContaining(['storage:posix', 'storage:posix:bind']))
    const message = 'the program mount.lustre is not installed (Debian: lustre-client-utils)'
    expect(capabilities).not.toContain('storage:posix:lustre')
    expect(lacks).toContainEqual({ capability: 'storage:posix:lustre', message })
    const known = (await readFile('/proc/filesystems', 'utf8')).split('\n').map((line) => line.split('\t').at(-1))
    for (const fsType of ['ext4', 'f2fs', 'iso9660', 'xfs']) {
      expect(capabilities.includes(`storage:posix:${fsType}`)).toBe(known.includes(fsType))
      const words = `the kernel has no filesystem ${fsType}, and no module of that name`
      expect(lacks.some((lack) => lack.message === words)).toBe(!known.includes(fsType))
    }
  })

  it('says once what stands in the way of all types', async () => {
    const posix = createPosixDriver({ mountRoot: '/nowhere', isRoot: false })
    const { capabilities, lacks } = await abilitiesOf(only({ ...drivers(() => null), posix }))
    expect(capabilities.filter((name) => name.startsWith('storage:posix'))).toEqual([])
    expect(lacks).toMatchObject([{ capability: 'storage:posix', message: expect.stringContaining('root') }])
  })

  it('is told again when it has changed, and not else', async () => {
    let obstacle: Fault | null = missing
    let told = 0
    let looks = 0
    const watched = drivers(() => {
      looks += 1
      return obstacle
    })
    const onChanged = () => {
      told += 1
    }
    const watch = new AbilityWatch(await abilitiesOf(only(watched)), {
      drivers: only(watched),
      logger: silentLogger,
      onChanged,
      everyMs: 5,
    })
    whenTestEnds(async () => watch.stop())
    watch.start()
    await eventually(() => expect(looks).toBeGreaterThan(3))
    expect(told).toBe(0)
    obstacle = null
    await eventually(() => expect(told).toBe(1))
    expect(watch.now.capabilities).toContain('storage:nfs')
    expect(watch.now.lacks).toEqual([])
  })
})

describe('what a driver needs', () => {
  it('is a program in the path that may be run', async () => {
    const directory = await temporaryDirectory()
    const [bin, other] = [join(directory, 'bin'), join(directory, 'other')]
    await mkdir(bin)
    const needs = { programs: { 'mount.toy': 'toy-client' } }
    const words = 'the program mount.toy is not installed (Debian: toy-client)'
    expect(await missingOf(needs, run, `${other}:${bin}`)).toBe(words)
    await writeFile(join(bin, 'mount.toy'), '')
    await chmod(join(bin, 'mount.toy'), 0o644)
    if (process.getuid?.() !== 0) expect(await missingOf(needs, run, `${other}:${bin}`)).toBe(words)
    await chmod(join(bin, 'mount.toy'), 0o755)
    expect(await missingOf(needs, run, `${other}:${bin}`)).toBeNull()
  })

  it('is a filesystem that the kernel has, or could load', async () => {
    const host = new FakeHost()
    expect(await missingOf({ fileSystems: ['proc'] }, host.run)).toBeNull()
    expect(host.calls).toEqual([])
    expect(await missingOf({ fileSystems: ['toyfs'] }, host.run)).toBeNull()
    expect(host.calls).toEqual(['modprobe -n -q toyfs'])
    host.answers = () => exited(1)
    expect(await missingOf({ fileSystems: ['toyfs', 'toyfs4'] }, host.run)).toContain('no filesystem toyfs')
    expect(await missingOf({ fileSystems: ['toyfs', 'proc'] }, host.run)).toBeNull()
  })

  it('is a device', async () => {
    expect(await missingOf({ devices: ['/dev/null'] }, run)).toBeNull()
    expect(await missingOf({ devices: ['/dev/no-such-device'] }, run)).toBe(
      'the device /dev/no-such-device is not there',
    )
  })
})
