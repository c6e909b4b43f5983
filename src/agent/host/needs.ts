import { access, constants, readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { programPath, type Run } from './run.js'

/** What a driver needs of the host, each with what an operator does about it. */
export interface HostNeeds {
  /** Program → the package that it is in. */
  readonly programs?: Readonly<Record<string, string>>
  /** One of these has to be in the kernel, or has to be a module that it can load. */
  readonly fileSystems?: readonly string[]
  readonly devices?: readonly string[]
}

const MODPROBE_MS = 3000

/** The first thing that is missing, by name; null: all is there. */
export async function missingOf(needs: HostNeeds, run: Run, path = programPath()): Promise<string | null> {
  for (const [program, source] of Object.entries(needs.programs ?? {})) {
    if (!(await isProgram(program, path))) return `the program ${program} is not installed (Debian: ${source})`
  }
  const { fileSystems = [] } = needs
  if (fileSystems.length > 0 && !(await knowsOne(fileSystems, run))) {
    return `the kernel has no filesystem ${fileSystems[0]}, and no module of that name`
  }
  for (const device of needs.devices ?? []) {
    if (!(await may(device, constants.R_OK | constants.W_OK))) return `the device ${device} is not there`
  }
  return null
}

async function isProgram(program: string, path: string): Promise<boolean> {
  for (const directory of path.split(':')) {
    if (await may(join(directory, program), constants.X_OK)) return true
  }
  return false
}

async function knowsOne(names: readonly string[], run: Run): Promise<boolean> {
  const known = (await readFile('/proc/filesystems', 'utf8')).split('\n').map((line) => line.split('\t').at(-1))
  if (names.some((name) => known.includes(name))) return true
  for (const name of names) {
    // a dry run: whether it could be loaded
    const result = await run('modprobe', ['-n', '-q', name], { deadlineMs: MODPROBE_MS, killAfterMs: 100 })
    if (result.outcome === 'exited' && result.code === 0) return true
  }
  return false
}

const may = (path: string, mode: number): Promise<boolean> =>
  access(path, mode).then(
    () => true,
    () => false,
  )
