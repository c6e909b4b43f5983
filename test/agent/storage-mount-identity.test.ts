import { join } from 'node:path'
import type { StorageDriver } from '../../src/agent/storage/driver.js'
import { createCephDriver } from '../../src/agent/storage/drivers/ceph.js'
import { createGlusterfsDriver } from '../../src/agent/storage/drivers/glusterfs.js'
import { createNfsDriver } from '../../src/agent/storage/drivers/nfs.js'
import { createPosixDriver } from '../../src/agent/storage/drivers/posix.js'
import { type KernelMount, mountedConnections } from '../../src/agent/storage/kernel.js'
import { readArguments } from '../../src/wire/storage/arguments.js'
import { exited, FakeHost } from './support/mount-table.js'
import { temporaryDirectory } from './support/temporary.js'

/** What a host does with several targets, whose drivers share a directory of mount points. */
async function start(sourceKind: 'block special file' | 'directory' = 'block special file') {
  const host = new FakeHost({ 'ceph-fuse': 'fuse.ceph-fuse', glusterfs: 'fuse.glusterfs', nfs: 'nfs4' })
  host.answers = (program) => (program === 'stat' ? exited(0, '', sourceKind) : null)
  const stateDir = await temporaryDirectory()
  const options = { mountRoot: join(stateDir, 'mnt'), run: host.run, readMounts: host.readMounts, isRoot: true }
  const drivers = {
    ceph: createCephDriver({ ...options, keyRoot: join(stateDir, 'keys') }),
    glusterfs: createGlusterfsDriver({ ...options, logRoot: join(stateDir, 'log') }),
    nfs: createNfsDriver(options),
    posix: createPosixDriver(options),
  }
  const target = (asked: string) => {
    const read = readArguments({ uri: asked })
    // the table pairs each scheme with the driver of its own URIs
    const driver = drivers[read.uri.scheme as keyof typeof drivers] as StorageDriver
    return {
      isConnected: () => driver.isConnected(read.uri),
      recognises: (seen: KernelMount) => driver.recognises(read.uri, seen) !== null,
      connect: () => driver.connect(read.uri, read),
      disconnect: () => driver.disconnect(read.uri, 'gently'),
    }
  }
  return { host, target, former: (place: string) => join(stateDir, 'mnt', place) }
}

describe('two targets', () => {
  it.each<[one: string, other: string]>([
    ['posix:///dev/vg/data?fstype=ext4', 'posix:///dev/vg/data?fstype=xfs'],
    ['posix:///srv/a_/b?fstype=bind', 'posix:///srv/a/_b?fstype=bind'],
    ['posix://server/a?fstype=nfs', 'posix://server/a?fstype=nfs4'],
    ['nfs://server/a_/b', 'nfs://server/a/_b'],
    ['ceph://mon/a_/b', 'ceph://mon/a/_b'],
    ['ceph://mon:6790/a', 'ceph://mon/a?fs=6790'],
    ['glusterfs://server/volume/a_/b', 'glusterfs://server/volume/a/_b'],
  ])('%s and %s have mount points of their own, and neither is taken for the other', async (one, other) => {
    const { host, target } = await start(one.endsWith('=bind') ? 'directory' : 'block special file')
    const [first, second] = [target(one), target(other)]
    await first.connect()
    expect(await second.isConnected()).toBe(false)
    await second.connect()
    const seen = mountedConnections(host.mounts, new Map())
    expect(new Set(seen.map(({ mountPoint }) => mountPoint)).size).toBe(2)
    expect(seen.map(first.recognises)).toEqual([true, false])
    expect(seen.map(second.recognises)).toEqual([false, true])
    await first.disconnect()
    expect(await second.isConnected()).toBe(true)
  })
})

describe('what an agent mounted that gave one mount point to several', () => {
  it.each<[uri: string, place: string, source: string, fsType: string]>([
    ['posix:///dev/disk/by-id/x?fstype=ext4', '_dev_disk_by-id_x', '/dev/sdb1', 'ext4'],
    ['posix:///dev/vg_/data?fstype=xfs', '_dev_vg___data', '/dev/vg_/data', 'xfs'],
    ['posix://server/a?fstype=nfs', 'posix/server:_a', 'server:/a', 'nfs4'],
    ['nfs://server/a_/b', 'server:_a___b', 'server:/a_/b', 'nfs4'],
    ['glusterfs://server/volume/a_/b', 'glusterSD/server:_volume_a___b', 'server:volume/a_/b', 'fuse.glusterfs'],
  ])('%s at %s is used there until it is let go of', async (uri, place, source, fsType) => {
    const { host, target, former } = await start()
    const one = target(uri)
    host.show(former(place), source, fsType)
    expect(await one.isConnected()).toBe(true)
    await one.connect()
    const seen = mountedConnections(host.mounts, new Map())
    expect(seen.map(one.recognises)).toEqual([true])
    await one.disconnect()
    expect(host.mounts).toEqual([])
    await one.connect()
    expect(host.mounts.map(({ mountPoint }) => mountPoint)).toEqual([expect.not.stringMatching(`^${former(place)}$`)])
  })

  it('is mounted at its own place when somebody else has let go of it', async () => {
    const { host, target, former } = await start()
    const one = target('posix:///dev/sdb1?fstype=ext4')
    host.show(former('_dev_sdb1'), '/dev/sdb1', 'ext4')
    await one.connect()
    host.lose(former('_dev_sdb1'))
    await one.connect()
    expect(host.mounts.map(({ mountPoint }) => mountPoint)).toEqual([former('posix/ext4/_dev_sdb1')])
  })

  it('is told from a directory that was bound by what is bound', async () => {
    const { host, target, former } = await start('directory')
    const bound = (root: string) => {
      host.mounts.length = 0
      host.show('/srv', '/dev/sda2', 'ext4')
      host.show(former('_srv_a___b'), '/dev/sda2', 'ext4')
      host.mounts.push({ ...host.mounts.pop()!, root })
    }
    bound('/a/_b')
    expect(await target('posix:///srv/a_/b?fstype=bind').isConnected()).toBe(false)
    bound('/a_/b')
    expect(await target('posix:///srv/a_/b?fstype=bind').isConnected()).toBe(true)
  })

  it.each<[uri: string, place: string, source: string, fsType: string]>([
    ['posix:///dev/vg_/data?fstype=xfs', '_dev_vg___data', '/dev/vg/_data', 'xfs'],
    ['posix:///dev/vg/data?fstype=xfs', '_dev_vg_data', '/dev/vg/data', 'ext4'],
    ['nfs://server/a_/b', 'server:_a___b', 'server:/a/_b', 'nfs4'],
    ['ceph://mon/a_/b', 'ceph/mon:_a___b', 'ceph-fuse', 'fuse.ceph-fuse'],
  ])("is not taken for %s at %s where it is another's", async (uri, place, source, fsType) => {
    const { host, target, former } = await start()
    host.show(former(place), source, fsType)
    expect(await target(uri).isConnected()).toBe(false)
    await target(uri).disconnect()
    expect(host.mounts).toHaveLength(1)
  })
})
