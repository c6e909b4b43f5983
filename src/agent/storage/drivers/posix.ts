import { mkdir, rmdir } from 'node:fs/promises'
import { join } from 'node:path'
import type { PosixUri } from '../../../wire/storage/schemes/posix.js'
import { faultOf } from '../../fault.js'
import { type Mount, readMounts } from '../../host/mounts.js'
import { type Run, type RunResult, run as runProgram, wordsOf } from '../../host/run.js'
import type { Grip, StorageDriver } from '../driver.js'
import { disconnectFailed, mountFailed, notPermitted, StuckError } from '../faults.js'
import { listingFault } from '../listing.js'
import { mountOptions } from '../mount-options.js'
import { mountPointName } from '../mount-point.js'

export interface PosixDriverOptions {
  /** Mount points are made, and removed, below this directory. */
  readonly mountRoot: string
  readonly run?: Run
  readonly deadlineMs?: number
  readonly isRoot?: boolean
}

/** What mount(8) is to do with each kind of source; a kind that is missing cannot be mounted. */
const extraOptions: Readonly<Record<string, string | undefined>> = {
  'block special file': '',
  'regular file': 'loop',
}

/** What is tried, one after the other, until nothing is mounted there any more. */
const umountArguments: Readonly<Record<Grip, readonly (readonly string[])[]>> = {
  gently: [[]],
  firmly: [[], ['-l']],
  lazily: [['-l']],
}

/** Block devices, image files over a loop device, and bind mounts. */
export function createPosixDriver(options: PosixDriverOptions): StorageDriver<'posix'> {
  const { mountRoot, run = runProgram, deadlineMs = 60_000, isRoot = process.getuid?.() === 0 } = options
  const mountPoints = new WeakMap<PosixUri, string>()
  const mountPointOf = (uri: PosixUri): string => {
    // asked for each target and each mount of the host, again and again
    const known = mountPoints.get(uri) ?? join(mountRoot, mountPointName(uri.path))
    mountPoints.set(uri, known)
    return known
  }

  const found = async (uri: PosixUri): Promise<Mount | undefined> => {
    const mountPoint = mountPointOf(uri)
    return (await readMounts()).findLast((mount) => mount.mountPoint === mountPoint)
  }

  const call = async (program: string, args: readonly string[]): Promise<RunResult> => {
    const result = await run(program, args, { deadlineMs })
    if (result.outcome === 'unkillable') throw new StuckError(`${program} ${wordsOf(result)}`, result.ended)
    return result
  }

  const kindOf = async (uri: PosixUri): Promise<string> => {
    const result = await call('stat', ['-L', '-c', '%F', '--', uri.path])
    if (!went(result)) throw mountFailed(wordsOf(result))
    return result.stdout.trim().replace('regular empty file', 'regular file')
  }

  const mountArguments = async (uri: PosixUri, given: Readonly<Record<string, string>>): Promise<string[]> => {
    const kind = await kindOf(uri)
    const words = mountOptions(given)
    const place = [uri.path, mountPointOf(uri)]
    if (uri.fsType === 'bind') {
      if (kind !== 'directory') throw mountFailed(`${uri.path} is a ${kind}: only a directory can be bound`)
      return ['--bind', '-o', words.join(','), ...place]
    }
    const extra = extraOptions[kind]
    if (extra === undefined) throw mountFailed(`${uri.path} is a ${kind}: neither a block device nor an image file`)
    return ['-t', uri.fsType, '-o', [...words, extra].filter((word) => word !== '').join(','), ...place]
  }

  return {
    obstacle: async () => (isRoot ? null : faultOf(notPermitted('mounting needs root, and this agent runs without'))),
    isConnected: async (uri) => (await found(uri)) !== undefined,
    recognises: (uri, seen) => {
      if (seen.kind !== 'mount' || seen.mountPoint !== mountPointOf(uri)) return null
      return uri.fsType === 'bind' ? 'view' : 'itself'
    },

    connect: async (uri, { options: given }) => {
      const there = await found(uri)
      if (there !== undefined && uri.fsType !== 'bind' && there.fsType !== uri.fsType) {
        throw mountFailed(`${there.mountPoint} is taken by ${there.source} (${there.fsType})`)
      }
      if (there !== undefined) return
      const args = await mountArguments(uri, given)
      await mkdir(mountRoot, { recursive: true, mode: 0o700 })
      await mkdir(mountPointOf(uri), { mode: 0o700 }).catch(unlessCode('EEXIST'))
      const result = await call('mount', args)
      // Killed in its last moment, mount(8) may have done its work.
      if (went(result) || (await found(uri)) !== undefined) return
      await rmdir(mountPointOf(uri)).catch(() => undefined)
      throw mountFailed(wordsOf(result))
    },

    disconnect: async (uri, grip) => {
      const mountPoint = mountPointOf(uri)
      for (const args of umountArguments[grip]) {
        if ((await found(uri)) === undefined) break
        const result = await call('umount', [...args, mountPoint])
        if (args === umountArguments[grip].at(-1) && !went(result)) throw disconnectFailed(wordsOf(result))
      }
      await rmdir(mountPoint).catch(unlessCode('ENOENT', 'EBUSY', 'ENOTEMPTY'))
    },

    probe: async (uri, given, limits) => {
      const mount = await found(uri)
      if (mount === undefined)
        return { seen: 'lost', fault: faultOf(mountFailed(`${mountPointOf(uri)} is no longer mounted`)) }
      const words = await listingFault(run, mount.mountPoint, limits)
      if (words !== null) return { seen: 'down', fault: faultOf(mountFailed(words)) }
      const readOnly = mount.options.includes('ro') || mount.superOptions.includes('ro')
      if (!readOnly || given.ro !== undefined || uri.fsType === 'bind' || alwaysReadOnly.has(uri.fsType))
        return { seen: 'up' }
      return { seen: 'degraded', fault: faultOf(mountFailed(`${mount.source} has become read-only`)) }
    },
  }
}

const alwaysReadOnly: ReadonlySet<string> = new Set(['iso9660', 'squashfs'])

const went = (result: RunResult): result is Extract<RunResult, { outcome: 'exited' }> =>
  result.outcome === 'exited' && result.code === 0

const unlessCode =
  (...codes: readonly string[]) =>
  (error: NodeJS.ErrnoException): void => {
    if (!codes.includes(error.code ?? '')) throw error
  }
