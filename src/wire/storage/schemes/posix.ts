import { badUri } from '../bad-argument.js'
import { localPathOf } from '../local-path.js'
import { mountRules } from '../mount-rules.js'
import { remotePathOf } from '../remote-path.js'
import { flag, oneOf, type SchemeRules, type StorageAddress, text, wholeNumber } from '../scheme-rules.js'
import { encodePath, type Parameters } from '../uri-text.js'

export const localFsTypes = [
  'bind',
  'btrfs',
  'ext2',
  'ext3',
  'ext4',
  'f2fs',
  'iso9660',
  'squashfs',
  'vfat',
  'xfs',
] as const
export const remoteFsTypes = ['ceph', 'glusterfs', 'lustre', 'nfs', 'nfs4'] as const

/**
 * What mount(8) mounts. `posix:///path?fstype=<type>`: a block device, an image file (both by their filesystem's type) or a
 * directory (`fstype=bind`) of the host. `posix://server/path?fstype=<type>`: what mount(8) is given as `server:/path`.
 */
export type PosixUri = PosixLocalUri | PosixRemoteUri

export interface PosixLocalUri extends StorageAddress {
  readonly scheme: 'posix'
  readonly host: null
  readonly path: string
  readonly fsType: (typeof localFsTypes)[number]
}

export interface PosixRemoteUri extends StorageAddress {
  readonly scheme: 'posix'
  readonly host: string
  readonly path: string
  readonly fsType: (typeof remoteFsTypes)[number]
}

const digits = text(/^\d{1,9}$/, 'a number of up to 9 digits')

export const posix: SchemeRules<PosixUri> = {
  parameters: ['fstype'],
  options: {
    ...mountRules,
    discard: flag,
    nodiscard: flag,
    norecovery: flag,
    commit: wholeNumber(1, 9999),
    errors: oneOf(['continue', 'remount-ro']),
    uid: digits,
    gid: digits,
    umask: text(/^0?[0-7]{3}$/, 'three octal digits'),
  },
  credentials: {},
  addressOf: (rest, parameters) =>
    /^\/\/(?!localhost\/)[^/]/i.test(rest) ? remote(rest, parameters) : onHost(rest, parameters),
}

function onHost(rest: string, parameters: Parameters): PosixLocalUri {
  const path = localPathOf('posix', rest)
  const fsType = fsTypeOf(parameters, localFsTypes)
  return { scheme: 'posix', host: null, path, fsType, target: `posix://${encodePath(path)}?fstype=${fsType}` }
}

function remote(rest: string, parameters: Parameters): PosixRemoteUri {
  const { host, port, path } = remotePathOf('posix', rest, 0)
  if (port !== null) throw badUri('posix: takes no port: mount(8) is given server:/path')
  const fsType = fsTypeOf(parameters, remoteFsTypes)
  return { scheme: 'posix', host, path, fsType, target: `posix://${host}${encodePath(path)}?fstype=${fsType}` }
}

function fsTypeOf<T extends string>(parameters: Parameters, known: readonly T[]): T {
  const given = parameters.get('fstype')?.toLowerCase()
  const fsType = known.find((type) => type === given)
  if (fsType === undefined) throw badUri(`posix: fstype must be one of ${known.join(', ')}`)
  return fsType
}
