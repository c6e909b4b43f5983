import { mkdir, readdir, rm, writeFile } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import type { CephUri } from '../../../wire/storage/schemes/ceph.js'
import { daemonsOf, endDaemons } from '../../host/daemons.js'
import type { RunResult } from '../../host/run.js'
import type { Means, StorageDriver } from '../driver.js'
import { formerMountPointName, mountPointName } from '../mount-point.js'
import { type MountedOptions, type MountKind, mountedDriver, type Place, remoteUmount } from './mounted.js'

const PROGRAM = 'ceph-fuse'
const BELOW = 'ceph'
const DEADLINE_MS = 30_000
const MOUNT_TIMEOUT_SECONDS = 20
/** What one says whose cluster has shut it out, or whose root is gone: the same process is never let in again. */
const SHUT_OUT = /transport endpoint shutdown|no such file or directory|operation not permitted/i

export interface CephOptions extends MountedOptions {
  /** A key lies here while its client starts: 0600, and never in an argv. */
  readonly keyRoot: string
}

/** CephFS over FUSE, with a configuration that is all in the connection: the host's own /etc/ceph is not read. */
export function createCephDriver(options: CephOptions): StorageDriver<'ceph'> {
  const keyringOf = (mountPoint: string) => join(options.keyRoot, `${basename(mountPoint)}.keyring`)
  /** Those that this agent has a client read. */
  const inUse = new Set<string>()

  const mount = async (uri: CephUri, means: Means, { mountPoint, call }: Place): Promise<RunResult> => {
    const keyring = keyringOf(mountPoint)
    const { user = 'admin' } = means.options
    const { secret } = means.credentials
    if (secret === undefined) return call(PROGRAM, cephArguments(uri, means, null, mountPoint))
    await mkdir(dirname(keyring), { recursive: true, mode: 0o700 })
    try {
      inUse.add(keyring)
      await rm(keyring, { force: true })
      await writeFile(keyring, `[client.${user}]\n\tkey = ${secret}\n`, { mode: 0o600, flag: 'wx' })
      return await call(PROGRAM, cephArguments(uri, means, keyring, mountPoint))
    } finally {
      // the client has read it once it is mounted
      await rm(keyring, { force: true })
      inUse.delete(keyring)
    }
  }

  /** A client reads its key when it starts: one that a crash has left behind is of no use. */
  const tidy = async (): Promise<void> => {
    for (const name of await readdir(options.keyRoot).catch(noneIfMissing)) {
      const keyring = join(options.keyRoot, name)
      if (!inUse.has(keyring)) await rm(keyring, { force: true })
    }
  }

  const kind: MountKind<'ceph'> = {
    needs: { programs: { [PROGRAM]: 'ceph-fuse' }, fileSystems: ['fuse'], devices: ['/dev/fuse'] },
    place: (uri) => join(BELOW, shellSafe(mountPointName(namedAfter(uri)))),
    formerPlace: (uri) => join(BELOW, formerMountPointName(formerlyNamedAfter(uri))),
    isOurs: ({ fsType }) => fsType === 'fuse.ceph-fuse',
    wasOurs: ({ mountPoint }, uri) => isClientOf(uri, mountPoint),
    mount,
    umount: () => remoteUmount,
    tidy: async (mountPoint) => {
      await endDaemons(PROGRAM, mountPoint)
      await rm(keyringOf(mountPoint), { force: true })
    },
    heals: async (mountPoint, { message }) =>
      !SHUT_OUT.test(message) && (await daemonsOf(PROGRAM, mountPoint)).length > 0,
  }
  return { ...mountedDriver(kind, { deadlineMs: DEADLINE_MS, ...options }), tidy }
}

export function cephArguments(
  { monitors, path, fileSystem }: Pick<CephUri, 'monitors' | 'path' | 'fileSystem'>,
  { options: { user = 'admin', ro } }: Pick<Means, 'options'>,
  keyring: string | null,
  mountPoint: string,
): string[] {
  return [
    '--conf=/dev/null',
    '-m',
    monitors.join(','),
    '--id',
    user,
    `--keyring=${keyring ?? '/dev/null'}`,
    ...(keyring === null ? ['--auth-client-required=none'] : []),
    `--client_mountpoint=${path}`,
    ...(fileSystem === null ? [] : [`--client_fs=${fileSystem}`]),
    `--client_mount_timeout=${MOUNT_TIMEOUT_SECONDS}`,
    '--log-file=/dev/null',
    '--admin-socket=',
    '-o',
    ['nosuid', 'nodev', ...(ro === undefined ? [] : ['ro'])].join(','),
    mountPoint,
  ]
}

/** Its client hands its mount point to a shell, as it stands, for a mount(8) of its own. What VDSM allows is mostly as it was. */
const shellSafe = (name: string): string =>
  name.replace(/[^A-Za-z0-9._:,@+=-]/gu, (char) =>
    [...Buffer.from(char)].map((byte) => `%${byte.toString(16).toUpperCase().padStart(2, '0')}`).join(''),
  )

/** Each file system of a cluster is a source of its own; one that is called like a port is none of the last monitor. */
function namedAfter(uri: CephUri): string {
  const isLikePort = uri.fileSystem !== null && /^\d+$/.test(uri.fileSystem)
  return formerlyNamedAfter(isLikePort ? { ...uri, fileSystem: `fs=${uri.fileSystem}` } : uri)
}

const formerlyNamedAfter = ({ monitors, path, fileSystem }: CephUri): string =>
  `${monitors.join(',')}:${fileSystem === null ? '' : `${fileSystem}:`}${path}`

function noneIfMissing(error: NodeJS.ErrnoException): string[] {
  if (error.code === 'ENOENT') return []
  throw error
}

/** The kernel shows no source of it: what its client was told does. */
async function isClientOf({ monitors, path }: CephUri, mountPoint: string): Promise<boolean> {
  const told = [mountPoint, monitors.join(','), `--client_mountpoint=${path}`]
  const [clients = [], ...others] = await Promise.all(told.map((argument) => daemonsOf(PROGRAM, argument)))
  return clients.some((pid) => others.every((pids) => pids.includes(pid)))
}
