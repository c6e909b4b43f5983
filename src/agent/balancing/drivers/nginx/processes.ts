import { readdir, readFile, readlink } from 'node:fs/promises'
import { setTimeout as delay } from 'node:timers/promises'

/** A process of nginx, as /proc shows it. */
export interface NginxProcess {
  readonly pid: number
  readonly parent: number
  /** It takes new connections: one that is shutting down has another title. */
  readonly role: 'master' | 'worker' | 'leaving'
}

const LOOK_EVERY_MS = 50

/**
 * The processes of the balancer in that directory, also those whose master has died. They were started there, and nothing
 * else tells the workers of one nginx from those of another.
 */
export async function nginxProcesses(directory: string): Promise<NginxProcess[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(pids.map((pid) => nginxProcess(Number(pid), directory)))
  return found.filter((each) => each !== null)
}

/** Null: there is none of that number, or it is something else by now. */
export async function nginxProcess(pid: number, directory: string): Promise<NginxProcess | null> {
  try {
    const command = (await readFile(`/proc/${pid}/cmdline`, 'utf8')).replace(/\0.*$/s, '')
    if (!command.startsWith('nginx: ')) return null
    const workingDirectory = await readlink(`/proc/${pid}/cwd`)
    if (workingDirectory.replace(/ \(deleted\)$/, '') !== directory) return null
    const stat = await readFile(`/proc/${pid}/stat`, 'utf8')
    // after the name, which may hold anything: state, parent (proc(5))
    const [, parent] = stat.slice(stat.lastIndexOf(')') + 2).split(' ')
    const role = command.startsWith('nginx: master')
      ? 'master'
      : command === 'nginx: worker process'
        ? 'worker'
        : 'leaving'
    return { pid, parent: Number(parent), role }
  } catch {
    return null
  }
}

export function send(pid: number, signal: NodeJS.Signals): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has gone by itself
  }
}

/** Asks them to end, and ends them. @returns those that are left all the same */
export async function endProcesses(directory: string, graceMs: number): Promise<NginxProcess[]> {
  let left = await nginxProcesses(directory)
  for (const [signal, waitMs] of [
    ['SIGQUIT', graceMs],
    ['SIGTERM', 1000],
    ['SIGKILL', 2000],
  ] as const) {
    for (const { pid } of left) send(pid, signal)
    const deadlineMs = performance.now() + waitMs
    while (left.length > 0 && performance.now() < deadlineMs) {
      await delay(LOOK_EVERY_MS)
      left = await nginxProcesses(directory)
    }
  }
  return left
}
