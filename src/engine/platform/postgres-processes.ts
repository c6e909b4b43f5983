import { readdir, readFile, readlink } from 'node:fs/promises'
import { join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import type { PostgresCluster } from './postgres-cluster.js'

/** What can be known of Postgres' processes from outside: its pid file and /proc. */
export interface PidFile {
  readonly pid: number
  readonly port: number
  readonly status: string
}

const POLL_MS = 250

/** Lines of postmaster.pid: pid, data directory, start time, port, socket directory, address, shared memory, status. */
export async function readPidFile({ data }: PostgresCluster): Promise<PidFile | null> {
  const lines = (await readFile(join(data, 'postmaster.pid'), 'utf8').catch(() => '')).split('\n')
  const pid = Number(lines[0])
  return pid > 0 ? { pid, port: Number(lines[3]), status: lines[7]?.trim() ?? 'starting' } : null
}

/** The program that `pid` runs, where that is a postmaster on this very directory; else null. */
export async function runsCluster(pid: number, { data }: PostgresCluster): Promise<string | null> {
  const text = await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')
  const [program = '', ...args] = text.split('\0')
  return /(^|\/)postgres$/.test(program) && args[args.indexOf('-D') + 1] === data ? program : null
}

/** A zombie has ended, though its pid still answers to signals. */
export async function isAlive(pid: number): Promise<boolean> {
  const status = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => null)
  return status !== null && !/^\d+ \(.*\) [ZX]/s.test(status)
}

/** Resolves when a process ends that is no child of ours. */
export async function ended(pid: number): Promise<void> {
  while (await isAlive(pid)) await pause(POLL_MS, undefined, { ref: false })
}

/** Backends, by the title that they give themselves and the directory they work in; those we may not look at are not found. */
export async function backendsOf({ data }: PostgresCluster): Promise<number[]> {
  const pids = (await readdir('/proc').catch(() => [])).filter((name) => /^\d+$/.test(name)).map(Number)
  const found = await Promise.all(pids.map((pid) => isBackend(pid, data)))
  return pids.filter((_, index) => found[index])
}

async function isBackend(pid: number, data: string): Promise<boolean> {
  const directory = await readlink(`/proc/${pid}/cwd`).catch(() => null)
  if (directory !== data) return false
  return (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).startsWith('postgres: ')
}

/** Nothing happens to a process that has just ended. */
export function signal(pid: number, name: NodeJS.Signals): void {
  try {
    process.kill(pid, name)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'ESRCH') throw error
  }
}
