// Jest loads this file as CommonJS when it begins and ends, and does not map './x.js' there: it imports nothing of ours.
import { execFileSync } from 'node:child_process'
import { existsSync, readdirSync, readFileSync, readlinkSync, rmSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'

export const PREFIX = 'keelson-trial-'
/** What is started in a trial has this in its environment, and so has all that it starts in turn. */
export const MARK = 'TRIAL_DIRECTORY'
const GONE_MS = 15_000

/** Before and after a run: all that this run, or one that was killed, has left behind. */
export default function sweep(): void {
  for (const name of readdirSync(tmpdir())) {
    const owner = new RegExp(`^${PREFIX}(\\d+)-`).exec(name)?.[1]
    if (owner && (Number(owner) === process.pid || !existsSync(`/proc/${owner}`))) clearGround(join(tmpdir(), name))
  }
}

/** Ends every process of a trial's, takes its mounts away, and removes its directory. */
export function clearGround(directory: string): void {
  const deadline = Date.now() + GONE_MS
  for (let pids = processesOf(directory); pids.length > 0 && Date.now() < deadline; pids = processesOf(directory)) {
    for (const pid of pids) end(pid)
    execFileSync('sleep', ['0.05'])
  }
  for (const mountPoint of mountsBelow(directory).reverse()) execFileSync('umount', ['-l', mountPoint])
  rmSync(directory, { recursive: true, force: true, maxRetries: 5 })
}

export function mountsBelow(directory: string): string[] {
  return readFileSync('/proc/self/mountinfo', 'utf8')
    .split('\n')
    .map((line) => withoutEscapes(line.split(' ')[4] ?? ''))
    .filter((mountPoint) => mountPoint.startsWith(`${directory}/`))
}

const withoutEscapes = (text: string): string =>
  text.replace(/\\([0-7]{3})/g, (_, octal: string) => String.fromCharCode(Number.parseInt(octal, 8)))

/** By the mark, or by working below the directory, as Postgres does, whose environment is clean. */
export function processesOf(directory: string): number[] {
  return readdirSync('/proc')
    .filter((name) => /^\d+$/.test(name))
    .map(Number)
    .filter((pid) => pid !== process.pid && !isZombie(pid) && (isMarked(pid, directory) || worksBelow(pid, directory)))
}

function isMarked(pid: number, directory: string): boolean {
  return quietly(() => readFileSync(`/proc/${pid}/environ`, 'utf8').split('\0').includes(`${MARK}=${directory}`))
}

function worksBelow(pid: number, directory: string): boolean {
  return quietly(() => `${readlinkSync(`/proc/${pid}/cwd`)}/`.startsWith(`${directory}/`))
}

function isZombie(pid: number): boolean {
  return quietly(() => /^\d+ \(.*\) [ZX]/s.test(readFileSync(`/proc/${pid}/stat`, 'utf8')))
}

/** A process may end between two looks at it. */
function quietly(look: () => boolean): boolean {
  try {
    return look()
  } catch {
    return false
  }
}

function end(pid: number): void {
  try {
    process.kill(pid, 'SIGKILL')
  } catch {
    // it was quicker
  }
}
