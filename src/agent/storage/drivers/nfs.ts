import type { StorageOptions } from '../../../wire/storage/arguments.js'
import { authorityOf } from '../../../wire/storage/host.js'
import type { NfsUri } from '../../../wire/storage/schemes/nfs.js'
import type { Mount } from '../../host/mounts.js'
import type { StorageDriver } from '../driver.js'
import { mountOptions } from '../mount-options.js'
import { formerMountPointName, mountPointName } from '../mount-point.js'
import { type MountedOptions, type MountKind, mountedDriver, remoteUmount } from './mounted.js'

/** mount.nfs itself gives up within this, unless the server hangs. */
const DEADLINE_MS = 60_000

/** What keeps a process from waiting for ever for a server that is gone: about a minute. nfs(5). */
export const soft = ({ hard, timeo = '100', retrans = '3' }: StorageOptions): string[] => [
  hard === undefined ? 'soft' : 'hard',
  'nosharecache',
  `timeo=${timeo}`,
  `retrans=${retrans}`,
  // a mount that is refused is tried again by the keeper, which shows the reason
  'retry=0',
]

/** Locks of versions 2 and 3 are a protocol of their own, which hangs by itself. */
const withoutLocks: ReadonlySet<string> = new Set(['auto', '3'])

const kind: MountKind<'nfs'> = {
  needs: { programs: { 'mount.nfs': 'nfs-common' }, fileSystems: ['nfs', 'nfs4'] },
  place: (uri) => mountPointName(namedAfter(uri)),
  formerPlace: (uri) => formerMountPointName(namedAfter(uri)),
  isOurs: (mount, uri) => mount.fsType.startsWith('nfs') && isSource(mount, uri),
  mount: (uri, { options }, { mountPoint, call }) =>
    call('mount', ['-t', 'nfs', '-o', nfsOptions(uri, options).join(','), sourceOf(uri), mountPoint]),
  umount: () => remoteUmount,
  // the kernel's client goes on asking; a handle that is stale stays so
  heals: async (_, { type }) => type === 'connect',
}

export const createNfsDriver = (options: MountedOptions): StorageDriver<'nfs'> =>
  mountedDriver(kind, { deadlineMs: DEADLINE_MS, ...options })

export function nfsOptions({ port }: Pick<NfsUri, 'port'>, options: StorageOptions): string[] {
  const { version = 'auto', hard, timeo, retrans, nolock, ...rest } = options
  const words = [...mountOptions(rest), ...soft({ hard, timeo, retrans } as StorageOptions)]
  if (version !== 'auto') words.push(`vers=${version}`)
  if (nolock !== undefined || withoutLocks.has(version)) words.push('nolock')
  if (port !== null) words.push(`port=${port}`)
  return words
}

const namedAfter = ({ host, port, path }: NfsUri): string => `${authorityOf(host, port)}:${path}`

const sourceOf = ({ host, path }: NfsUri): string => `${host}:${path}`

/** The kernel shows the source as it was given, by whomever: with slashes at its end, or the host in capitals. */
export function isSource({ source }: Mount, { host, path }: Pick<NfsUri, 'host' | 'path'>): boolean {
  const [, shownHost = '', shownPath = ''] = /^(\[[^\]]*\]|[^:]*):(.*)$/s.exec(source) ?? []
  return shownHost.toLowerCase() === host && (shownPath.replace(/(?<=.)\/+$/, '') || '/') === path
}
