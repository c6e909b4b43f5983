import { join, relative } from 'node:path'
import type { PosixLocalUri, PosixRemoteUri, PosixUri } from '../../../wire/storage/schemes/posix.js'
import { backingFileOf, type Mount } from '../../host/mounts.js'
import type { HostNeeds } from '../../host/needs.js'
import { wordsOf } from '../../host/run.js'
import type { Grip, Means, StorageDriver } from '../driver.js'
import { mountFailed } from '../faults.js'
import { mountOptions } from '../mount-options.js'
import { formerMountPointName, mountPointName } from '../mount-point.js'
import { type Call, type MountedOptions, type MountKind, mountedDriver, remoteUmount, went } from './mounted.js'
import { isSource, soft } from './nfs.js'

/** What mount(8) is to do with each kind of source; a kind that is missing cannot be mounted. */
const extraOptions: Readonly<Record<string, string | undefined>> = {
  'block special file': '',
  'regular file': 'loop',
}

const localUmount: Readonly<Record<Grip, readonly (readonly string[])[]>> = {
  gently: [[]],
  firmly: [[], ['-l']],
  lazily: [['-l']],
}

/** What the kernel calls a remote filesystem that mount(8) was told by that name. */
const shownAs: Readonly<Record<PosixRemoteUri['fsType'], readonly string[]>> = {
  ceph: ['ceph'],
  lustre: ['lustre'],
  nfs: ['nfs', 'nfs4'],
  nfs4: ['nfs4'],
}

const alwaysReadOnly: ReadonlySet<string> = new Set(['bind', 'iso9660', 'squashfs'])

/** A bind mount has the filesystem of what is bound. What a device or an image is called may lead over a link to another name. */
function isOurs(mount: Mount, uri: PosixUri): boolean {
  if (uri.host === null) return uri.fsType === 'bind' || mount.fsType === uri.fsType
  if (!shownAs[uri.fsType].includes(mount.fsType)) return false
  // helpers of the others write addresses for the host
  const isNfs = uri.fsType === 'nfs' || uri.fsType === 'nfs4'
  return isNfs ? isSource(mount, uri) : [`:${uri.path}`, `=${uri.path}`].some((end) => mount.source.endsWith(end))
}

/** Where the path alone did not say whose it is, only that is ours of which the kernel has the very path. */
async function wasOurs(mount: Mount, uri: PosixUri, all: readonly Mount[]): Promise<boolean> {
  const { host, path, fsType } = uri
  if (host !== null || mountPointName(path) === formerMountPointName(path)) return true
  if (fsType !== 'bind') return path === ((await backingFileOf(mount.source)) ?? mount.source)
  const ofTheSame = all.filter(({ device }) => device === mount.device)
  return ofTheSame.some(({ mountPoint, root }) => join(mountPoint, relative(root, mount.root)) === path)
}

const namedAfter = ({ host, path }: PosixUri): string => (host === null ? path : `${host}:${path}`)

/** mount(8) hands what is of a server to a helper. */
const needsOfKind: Readonly<Record<PosixUri['fsType'], HostNeeds>> = {
  bind: {},
  btrfs: { fileSystems: ['btrfs'] },
  ceph: { programs: { 'mount.ceph': 'ceph-common' }, fileSystems: ['ceph'] },
  ext2: { fileSystems: ['ext2'] },
  ext3: { fileSystems: ['ext3'] },
  ext4: { fileSystems: ['ext4'] },
  f2fs: { fileSystems: ['f2fs'] },
  iso9660: { fileSystems: ['iso9660'] },
  lustre: { programs: { 'mount.lustre': 'lustre-client-utils' }, fileSystems: ['lustre'] },
  nfs: { programs: { 'mount.nfs': 'nfs-common' }, fileSystems: ['nfs', 'nfs4'] },
  nfs4: { programs: { 'mount.nfs4': 'nfs-common' }, fileSystems: ['nfs4'] },
  squashfs: { fileSystems: ['squashfs'] },
  vfat: { fileSystems: ['vfat'] },
  xfs: { fileSystems: ['xfs'] },
}

const kind: MountKind<'posix'> = {
  needs: { programs: { mount: 'mount', umount: 'mount' } },
  needsOfKind,
  place: (uri) => join('posix', uri.fsType, mountPointName(namedAfter(uri))),
  formerPlace: (uri) => join(uri.host === null ? '' : 'posix', formerMountPointName(namedAfter(uri))),
  isOurs,
  wasOurs,
  isView: (uri) => uri.fsType === 'bind',
  mount: async (uri, means, { mountPoint, call }) => call('mount', await argumentsFor(uri, means, mountPoint, call)),
  umount: (uri) => (uri.host === null ? localUmount : remoteUmount),
  alwaysReadOnly: (uri) => alwaysReadOnly.has(uri.fsType),
}

/** Block devices, image files over a loop device, bind mounts, and what mount(8) is given as `server:/path`. */
export const createPosixDriver = (options: MountedOptions): StorageDriver<'posix'> => mountedDriver(kind, options)

async function argumentsFor(uri: PosixUri, { options }: Means, mountPoint: string, call: Call): Promise<string[]> {
  const words = mountOptions(options)
  if (uri.host !== null) return remoteArguments(uri, words, mountPoint)
  const sourceKind = await kindOf(uri, call)
  const place = [uri.path, mountPoint]
  if (uri.fsType === 'bind') {
    if (sourceKind !== 'directory') throw mountFailed(`${uri.path} is a ${sourceKind}: only a directory can be bound`)
    return ['--bind', '-o', words.join(','), ...place]
  }
  const extra = extraOptions[sourceKind]
  if (extra === undefined) throw mountFailed(`${uri.path} is a ${sourceKind}: neither a block device nor an image file`)
  return ['-t', uri.fsType, '-o', [...words, extra].filter((word) => word !== '').join(','), ...place]
}

function remoteArguments(uri: PosixRemoteUri, words: readonly string[], mountPoint: string): string[] {
  const all = uri.fsType === 'nfs' || uri.fsType === 'nfs4' ? [...words, ...soft({})] : words
  return ['-t', uri.fsType, '-o', all.join(','), `${uri.host}:${uri.path}`, mountPoint]
}

async function kindOf(uri: PosixLocalUri, call: Call): Promise<string> {
  const result = await call('stat', ['-L', '-c', '%F', '--', uri.path])
  if (!went(result)) throw mountFailed(wordsOf(result))
  return result.stdout.trim().replace('regular empty file', 'regular file')
}
