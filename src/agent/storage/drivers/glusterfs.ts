import { mkdir, open, rm, stat, truncate } from 'node:fs/promises'
import { basename, dirname, join } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'
import { authorityOf } from '../../../wire/storage/host.js'
import type { GlusterfsUri } from '../../../wire/storage/schemes/glusterfs.js'
import { daemonsOf, endDaemons } from '../../host/daemons.js'
import { type RunResult, run as runProgram } from '../../host/run.js'
import type { Means, StorageDriver } from '../driver.js'
import { listingFault } from '../listing.js'
import { formerMountPointName, mountPointName } from '../mount-point.js'
import { type MountedOptions, type MountKind, mountedDriver, type Place, remoteUmount, went } from './mounted.js'

const PROGRAM = 'glusterfs'
/** VDSM's name for the directory of these mounts. */
const BELOW = 'glusterSD'
const DEADLINE_MS = 30_000
/** ENOTCONN */
const NOT_CONNECTED = 107
const SHOWN_MS = 10_000
const LOOK_EVERY_MS = 20
const LISTING_MS = 10_000
const MAX_LOG_BYTES = 4 * 1024 * 1024
const LOG_TAIL_BYTES = 16 * 1024

export interface GlusterfsOptions extends MountedOptions {
  /** Each client's log lies here as long as it is connected. */
  readonly logRoot: string
}

/**
 * GlusterFS over FUSE, by the client itself: the script that is `mount.glusterfs` puts words together in a shell, and a
 * blank in a path would become an argument. The client is a daemon of its own session; who it is is told by its argv.
 */
export function createGlusterfsDriver(options: GlusterfsOptions): StorageDriver<'glusterfs'> {
  const { run = runProgram } = options
  const logOf = (mountPoint: string) => join(options.logRoot, `${basename(mountPoint)}.log`)

  const mount = async (uri: GlusterfsUri, means: Means, { mountPoint, call, isShown }: Place): Promise<RunResult> => {
    const log = logOf(mountPoint)
    await mkdir(dirname(log), { recursive: true, mode: 0o700 })
    await rm(log, { force: true })
    const result = await call(PROGRAM, glusterfsArguments(uri, means, log, mountPoint))
    if (!went(result)) return named(result)
    // it says that all is well before it is mounted, and before it has spoken to any server
    await until(async () => (await isShown()) || (await daemonsOf(PROGRAM, mountPoint)).length === 0)
    if (!(await isShown())) return failed('not connected: its client has ended')
    const limits = { timeoutMs: LISTING_MS, signal: neverAborted, own: [] }
    const words = await listingFault(run, mountPoint, limits)
    return words === null ? result : failed(words)
  }

  const kind: MountKind<'glusterfs'> = {
    needs: { programs: { [PROGRAM]: 'glusterfs-client' }, fileSystems: ['fuse'], devices: ['/dev/fuse'] },
    place: (uri) => join(BELOW, mountPointName(namedAfter(uri))),
    formerPlace: (uri) => join(BELOW, formerMountPointName(namedAfter(uri))),
    isOurs: ({ fsType, source }, { path }) =>
      fsType === 'fuse.glusterfs' && (source.endsWith(`:${path}`) || source.endsWith(`:${path.slice(1)}`)),
    mount,
    umount: () => remoteUmount,
    moreWords: (mountPoint) => lastErrors(logOf(mountPoint)),
    tidy: async (mountPoint) => {
      await endDaemons(PROGRAM, mountPoint)
      await rm(logOf(mountPoint), { force: true })
    },
    heals: async (mountPoint) => {
      await keepShort(logOf(mountPoint))
      return (await daemonsOf(PROGRAM, mountPoint)).length > 0
    },
  }
  return mountedDriver(kind, { deadlineMs: DEADLINE_MS, ...options })
}

const namedAfter = ({ host, port, path }: GlusterfsUri): string => `${authorityOf(host, port)}:${path}`

export function glusterfsArguments(
  { host, port, path }: Pick<GlusterfsUri, 'host' | 'port' | 'path'>,
  { options: { ro, backupServers = '', directIo, transport } }: Means,
  log: string,
  mountPoint: string,
): string[] {
  const [volume = '', ...below] = path.slice(1).split('/')
  // the client takes an address as it is, without the brackets of a URI
  const servers = [host.replace(/^\[|\]$/g, ''), ...backupServers.split(':').filter(Boolean)]
  return [
    ...servers.map((server) => `--volfile-server=${server}`),
    ...(port === null ? [] : [`--volfile-server-port=${port}`]),
    ...(transport === undefined ? [] : [`--volfile-server-transport=${transport}`]),
    `--volfile-id=${volume}`,
    ...(below.length === 0 ? [] : [`--subdir-mount=/${below.join('/')}`]),
    ...(directIo === undefined ? [] : [`--direct-io-mode=${directIo}`]),
    ...(ro === undefined ? [] : ['--read-only']),
    '--fuse-mountopts=nosuid,nodev',
    '--process-name=fuse',
    '--log-level=WARNING',
    `--log-file=${log}`,
    mountPoint,
  ]
}

async function until(done: () => Promise<boolean>): Promise<void> {
  for (let waitedMs = 0; waitedMs < SHOWN_MS && !(await done()); waitedMs += LOOK_EVERY_MS) await delay(LOOK_EVERY_MS)
}

const failed = (words: string): RunResult => ({
  outcome: 'exited',
  code: 1,
  stdout: '',
  stderr: words,
  truncated: false,
})

/** The client ends with the number of the error, and says nothing. */
const named = (result: RunResult): RunResult =>
  result.outcome === 'exited' && result.code === NOT_CONNECTED && result.stderr.trim() === ''
    ? { ...result, stderr: 'not connected: none of its servers answers' }
    : result

/** What the client said last, without its own places in the code. */
async function lastErrors(log: string): Promise<string> {
  const text = await tailOf(log).catch(() => '')
  const errors = text.split('\n').filter((line) => / [EC] \[/.test(line))
  const words = errors.map((line) => line.replace(/^\[[^\]]*\] [EC] (\[[^\]]*\] )*/, '').trim())
  return [...new Set(words)].slice(-3).join('; ')
}

async function tailOf(path: string): Promise<string> {
  const file = await open(path, 'r')
  try {
    const { size } = await file.stat()
    const { buffer, bytesRead } = await file.read(
      Buffer.alloc(LOG_TAIL_BYTES),
      0,
      LOG_TAIL_BYTES,
      Math.max(0, size - LOG_TAIL_BYTES),
    )
    return buffer.toString('utf8', 0, bytesRead)
  } finally {
    await file.close()
  }
}

/** A server that is away for long is told of again and again; the client appends. */
async function keepShort(log: string): Promise<void> {
  const { size } = await stat(log).catch(() => ({ size: 0 }))
  if (size > MAX_LOG_BYTES) await truncate(log)
}

const neverAborted = new AbortController().signal
