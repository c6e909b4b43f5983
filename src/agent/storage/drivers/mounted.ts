import { mkdir, rmdir } from 'node:fs/promises'
import { dirname, join } from 'node:path'
import type { Fault } from '../../../wire/session.js'
import type { StorageCredentials, StorageOptions } from '../../../wire/storage/arguments.js'
import type { StorageScheme, UriOf } from '../../../wire/storage/uri.js'
import { faultOf } from '../../fault.js'
import { type Mount, readMounts as readMountTable } from '../../host/mounts.js'
import { type HostNeeds, missingOf } from '../../host/needs.js'
import { type Run, type RunResult, run as runProgram, wordsOf } from '../../host/run.js'
import type { Grip, Means, StorageDriver } from '../driver.js'
import { disconnectFailed, mountFailed, mountFaultOf, notPermitted, StuckError, unsupported } from '../faults.js'
import { listingFault } from '../listing.js'

export interface MountedOptions {
  /** Mount points are made, and removed, below this directory. */
  readonly mountRoot: string
  readonly run?: Run
  readonly deadlineMs?: number
  readonly isRoot?: boolean
  readonly readMounts?: () => Promise<readonly Mount[]>
}

/** Runs a program with the driver's deadline. @throws StuckError when it cannot be ended */
export type Call = (program: string, args: readonly string[]) => Promise<RunResult>

/** Where something is to be mounted: the directory is there. */
export interface Place {
  readonly mountPoint: string
  readonly call: Call
  /** Whether the kernel shows it there by now. */
  readonly isShown: () => Promise<boolean>
}

/** What tells one kind of mount from another. */
export interface MountKind<S extends StorageScheme> {
  readonly needs: HostNeeds
  /** What each kind of the scheme needs beside that. */
  readonly needsOfKind?: Readonly<Record<string, HostNeeds>>
  /** Below the root: its mount point, which is its alone. */
  readonly place: (uri: UriOf<S>) => string
  /** Where agents mounted it that gave one mount point to several: what is there may be another's. */
  readonly formerPlace: (uri: UriOf<S>) => string
  /** Whether that is what the kernel shows at the mount point. */
  readonly isOurs: (mount: Mount, uri: UriOf<S>) => boolean
  /** Whether that is what the kernel shows at a mount point that others had too. Left out: `isOurs` is enough. */
  readonly wasOurs?: (mount: Mount, uri: UriOf<S>, all: readonly Mount[]) => Promise<boolean>
  /** What is mounted is a part of something else: a bind mount. Left out: never. */
  readonly isView?: (uri: UriOf<S>) => boolean
  readonly mount: (uri: UriOf<S>, means: Means, place: Place) => Promise<RunResult>
  /** Arguments of umount(8), tried one after the other until nothing is mounted any more. */
  readonly umount: (uri: UriOf<S>) => Readonly<Record<Grip, readonly (readonly string[])[]>>
  /** Read-only, without having been asked to be, is a sign of trouble; not for what knows nothing else. */
  readonly alwaysReadOnly?: (uri: UriOf<S>) => boolean
  /** Of what is mounted by a client in user space: once nothing is mounted there, ends and removes what belonged to it. */
  readonly tidy?: (mountPoint: string) => Promise<void>
  /** What else the host knows of a mount that failed, behind the tool's words. */
  readonly moreWords?: (mountPoint: string) => Promise<string>
  /** Whether what does not answer now will by itself, when its server is back. Left out: no. */
  readonly heals?: (mountPoint: string, fault: Fault) => Promise<boolean>
}

/** Mounts of a remote storage: its server may be away, and must not be asked before it is let go of. */
export const remoteUmount: Readonly<Record<Grip, readonly (readonly string[])[]>> = {
  gently: [['-c', '-i']],
  firmly: [
    ['-c', '-i'],
    ['-c', '-i', '-f', '-l'],
  ],
  lazily: [['-c', '-i', '-f', '-l']],
}

/** A driver of what is mounted: by the kernel, or by a program in user space. The mount table is the truth. */
export function mountedDriver<S extends StorageScheme>(kind: MountKind<S>, options: MountedOptions): StorageDriver<S> {
  const { mountRoot, run = runProgram, deadlineMs = 60_000, readMounts = readMountTable } = options
  const { isRoot = process.getuid?.() === 0 } = options
  const mountPoints = new WeakMap<UriOf<S>, string>()
  const mountPointOf = (uri: UriOf<S>): string => {
    // asked for each target and each mount of the host, again and again
    const mountPoint = mountPoints.get(uri) ?? join(mountRoot, kind.place(uri))
    mountPoints.set(uri, mountPoint)
    return mountPoint
  }

  const onTop = async (uri: UriOf<S>): Promise<Mount | undefined> => topOf(await readMounts(), mountPointOf(uri))

  const found = async (uri: UriOf<S>): Promise<Mount | undefined> => {
    const mount = await onTop(uri)
    return mount !== undefined && kind.isOurs(mount, uri) ? mount : undefined
  }

  /** What an agent before this one has mounted is used where it is, until it is let go of. */
  const isAtFormerPlace = async (uri: UriOf<S>): Promise<boolean> => {
    const mountPoint = join(mountRoot, kind.formerPlace(uri))
    const mounts = await readMounts()
    const mount = topOf(mounts, mountPoint)
    if (mount === undefined || !kind.isOurs(mount, uri)) return false
    if (kind.wasOurs !== undefined && !(await kind.wasOurs(mount, uri, mounts))) return false
    mountPoints.set(uri, mountPoint)
    return true
  }

  const isConnected = async (uri: UriOf<S>): Promise<boolean> => {
    if ((await found(uri)) !== undefined) return true
    mountPoints.delete(uri)
    return isAtFormerPlace(uri)
  }

  const call: Call = async (program, args) => {
    const result = await run(program, args, { deadlineMs })
    if (result.outcome === 'unkillable') throw new StuckError(`${program} ${wordsOf(result)}`, result.ended)
    return result
  }

  const obstacle = async (name?: string | null): Promise<Fault | null> => {
    if (!isRoot) return faultOf(notPermitted('mounting needs root, and this agent runs without'))
    const ofKind = kind.needsOfKind?.[name ?? '']
    const missing = (await missingOf(kind.needs, run)) ?? (ofKind ? await missingOf(ofKind, run) : null)
    return missing === null ? null : faultOf(unsupported(missing))
  }

  /** Whatever became of the mount: nothing of it is left. */
  const tidy = async (mountPoint: string): Promise<void> => {
    await kind.tidy?.(mountPoint)
    await rmdir(mountPoint).catch(unlessCode('ENOENT', 'EBUSY', 'ENOTEMPTY'))
  }

  const mountAt = async (mountPoint: string, uri: UriOf<S>, means: Means): Promise<void> => {
    const isShown = async () => (await found(uri)) !== undefined
    const result = await kind.mount(uri, means, { mountPoint, call, isShown })
    if (await isShown()) {
      // Killed in its last moment, mount(8) may have done its work; a client that failed may not be gone from the table yet.
      if (went(result) || kind.tidy === undefined) return
      await call('umount', [...kind.umount(uri).lazily[0]!, mountPoint])
    }
    const words = went(result) ? 'it was mounted, and went at once' : wordsOf(result)
    const more = (await kind.moreWords?.(mountPoint)) ?? ''
    const all = [words, more].filter((part) => part !== '').join('; ')
    throw mountFaultOf(withoutSecrets(all, means.credentials))
  }

  const disconnect = async (uri: UriOf<S>, grip: Grip): Promise<void> => {
    const mountPoint = mountPointOf(uri)
    const attempts = kind.umount(uri)[grip]
    for (const args of attempts) {
      if ((await found(uri)) === undefined) break
      const result = await call('umount', [...args, mountPoint])
      if (args === attempts.at(-1) && !went(result)) throw disconnectFailed(wordsOf(result))
    }
    await tidy(mountPoint)
    mountPoints.delete(uri)
  }

  return {
    obstacle,
    isConnected,
    recognises: (uri, seen) => {
      if (seen.kind !== 'mount' || seen.mountPoint !== mountPointOf(uri) || !kind.isOurs(seen, uri)) return null
      return kind.isView?.(uri) ? 'view' : 'itself'
    },

    directory: mountPointOf,

    connect: async (uri, means) => {
      if (await isConnected(uri)) return
      const mountPoint = mountPointOf(uri)
      const there = await onTop(uri)
      if (there !== undefined) throw mountFailed(`${mountPoint} is taken by ${there.source} (${there.fsType})`)
      await mkdir(dirname(mountPoint), { recursive: true, mode: 0o700 })
      await mkdir(mountPoint, { mode: 0o700 }).catch(unlessCode('EEXIST'))
      try {
        await mountAt(mountPoint, uri, means)
      } catch (error) {
        // what cannot be ended may still mount it
        if (!(error instanceof StuckError)) await tidy(mountPoint).catch(() => undefined)
        throw error
      }
    },

    disconnect,

    probe: async (uri, given, limits) => {
      const mount = await found(uri)
      if (mount === undefined) {
        return { seen: 'lost', fault: faultOf(mountFailed(`${mountPointOf(uri)} is no longer mounted`)) }
      }
      const words = await listingFault(run, mount.mountPoint, limits)
      if (words !== null) {
        const fault = faultOf(mountFaultOf(words))
        return { seen: 'down', fault, heals: (await kind.heals?.(mount.mountPoint, fault)) ?? false }
      }
      if (!becameReadOnly(mount, given) || kind.alwaysReadOnly?.(uri)) return { seen: 'up' }
      return { seen: 'degraded', fault: faultOf(mountFailed(`${mount.source} has become read-only`)) }
    },
  }
}

const topOf = (mounts: readonly Mount[], mountPoint: string): Mount | undefined =>
  mounts.findLast((mount) => mount.mountPoint === mountPoint)

/** Some tools repeat what they were told when it makes no sense to them. */
const withoutSecrets = (words: string, credentials: StorageCredentials): string =>
  Object.values(credentials).reduce((text, secret) => text.replaceAll(secret, '***'), words)

const becameReadOnly = ({ options, superOptions }: Mount, given: StorageOptions): boolean =>
  given.ro === undefined && (options.includes('ro') || superOptions.includes('ro'))

export const went = (result: RunResult): result is Extract<RunResult, { outcome: 'exited' }> =>
  result.outcome === 'exited' && result.code === 0

const unlessCode =
  (...codes: readonly string[]) =>
  (error: NodeJS.ErrnoException): void => {
    if (!codes.includes(error.code ?? '')) throw error
  }
