import { ISCSI_PORT } from '../../wire/storage/schemes/iscsi.js'
import { localFsTypes } from '../../wire/storage/schemes/posix.js'
import { parseStorageUri } from '../../wire/storage/uri.js'
import { backingFileOf, type Mount, readMounts } from '../host/mounts.js'
import { type IscsiSession, readSessions } from './iscsi/sessions.js'

/** A storage connection as the kernel shows it, whoever made it. */
export type KernelConnection = KernelMount | KernelSession

export interface KernelMount extends Mount {
  readonly kind: 'mount'
  /** As it would be asked for. Null: the system's own, or no storage of our schemes as far as the kernel shows. */
  readonly uri: string | null
}

export interface KernelSession {
  readonly kind: 'session'
  /** As it would be asked for. */
  readonly uri: string
  readonly session: IscsiSession
}

/** All that the kernel has mounted, and all its sessions. Touches no mount and no portal. */
export async function readKernelConnections(): Promise<KernelConnection[]> {
  const mounts = await readMounts()
  const backing = new Map<string, string>()
  for (const { source } of mounts) {
    const file = backing.has(source) ? null : await backingFileOf(source)
    if (file !== null) backing.set(source, file)
  }
  return [...mountedConnections(mounts, backing), ...(await readSessions('/sys')).map(connectionOf)]
}

/** What the system itself runs on: these places, and all below those that end with a slash. */
const systemPlaces = [
  ...[
    '/',
    '/home',
    '/opt',
    '/root',
    '/srv',
    '/tmp',
    '/var',
    '/var/cache',
    '/var/lib',
    '/var/log',
    '/var/spool',
    '/var/tmp',
  ],
  ...['/boot/', '/dev/', '/efi/', '/etc/', '/proc/', '/run/', '/snap/', '/sys/', '/usr/', '/var/lib/snapd/'],
]

/**
 * A filesystem that is mounted at a place of the system's is the system's wherever else it is mounted, as in a container's
 * /etc/hosts. What is in several places is listed at each.
 * @param backing the files behind loop devices
 */
export function mountedConnections(mounts: readonly Mount[], backing: ReadonlyMap<string, string>): KernelMount[] {
  const system = new Set(mounts.filter(({ mountPoint }) => isSystemPlace(mountPoint)).map(({ device }) => device))
  return mounts.map((mount) => {
    const scheme = schemes[mount.fsType]
    const uri = scheme && !system.has(mount.device) ? uriOf[scheme](mount, backing) : null
    return { ...mount, kind: 'mount', uri: uri && spelled(uri) }
  })
}

const isSystemPlace = (mountPoint: string): boolean =>
  systemPlaces.some((place) =>
    place.length > 1 && place.endsWith('/') ? `${mountPoint}/`.startsWith(place) : mountPoint === place,
  )

type MountedScheme = 'nfs' | 'glusterfs' | 'ceph' | 'posix'

const schemes: Readonly<Record<string, MountedScheme | undefined>> = {
  nfs: 'nfs',
  nfs4: 'nfs',
  'fuse.glusterfs': 'glusterfs',
  ceph: 'ceph',
  'fuse.ceph': 'ceph',
  'fuse.ceph-fuse': 'ceph',
  ...Object.fromEntries(localFsTypes.filter((type) => type !== 'bind').map((type) => [type, 'posix' as const])),
}

/** Null: no storage of ours. */
const uriOf: Readonly<Record<MountedScheme, (mount: Mount, backing: ReadonlyMap<string, string>) => string | null>> = {
  nfs: ({ source, superOptions }) => {
    const port = superOptions.find((option) => /^port=\d+$/.test(option))?.slice('port='.length)
    return remote('nfs', source, port === undefined || port === '0' || port === '2049' ? '' : `:${port}`)
  },
  glusterfs: ({ source }) => remote('glusterfs', source),
  ceph: ({ source }) => remote('ceph', source),
  posix: ({ source, fsType }, backing) => {
    if (!source.startsWith('/dev/')) return null
    return `posix://${encoded(backing.get(source) ?? source)}?fstype=${fsType}`
  },
}

/** `server:/path` and `server:path`; what is written otherwise stays as the kernel has it. */
function remote(scheme: string, source: string, port = ''): string {
  const [, host, path] = /^(\[[^\]]+\]|[^:/[]+):\/*(.*)$/s.exec(source) ?? []
  if (host === undefined) return `${scheme}:${encoded(source)}`
  return `${scheme}://${host.toLowerCase()}${port}/${encoded(path!.replace(/\/+$/, ''))}`
}

function connectionOf(session: IscsiSession): KernelSession {
  const { persistentAddress, address, persistentPort, name, portalGroup } = session
  const dialled = persistentAddress ?? address ?? ''
  const host = dialled.includes(':') ? `[${dialled}]` : dialled
  const uri = `iscsi://${host}:${persistentPort ?? ISCSI_PORT}/${name};portal=${portalGroup ?? 1}`
  return { kind: 'session', uri: spelled(uri), session }
}

/** As a target is spelled, where the kernel's name for it is one. */
function spelled(uri: string): string {
  try {
    return parseStorageUri(uri).target
  } catch {
    return uri
  }
}

/** What a URI must not hold as it is. */
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is escaped
const encoded = (text: string): string => text.replace(/[%?#\s\u0000-\u001f\u007f]/g, encodeURIComponent)
