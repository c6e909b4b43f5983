import { readdir, readFile } from 'node:fs/promises'
import { basename } from 'node:path'
import { setTimeout as delay } from 'node:timers/promises'

const EACH_MS = 2000
const LOOK_EVERY_MS = 50

/**
 * Processes of that program which were given that argument: what a mount helper left behind in a session of its own, and a
 * process group thus does not reach. Reading /proc touches no mount.
 */
export async function daemonsOf(program: string, argument: string): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/.test(name))
  const found = await Promise.all(
    pids.map(async (pid) => {
      const argv = (await readFile(`/proc/${pid}/cmdline`, 'utf8').catch(() => '')).split('\0')
      return basename(argv[0] ?? '') === program && argv.includes(argument) ? Number(pid) : null
    }),
  )
  return found.filter((pid) => pid !== null)
}

/** Waits for them to end by themselves, as they should, and else ends them. @returns those that are left all the same */
export async function endDaemons(program: string, argument: string): Promise<number[]> {
  let pids = await daemonsOf(program, argument)
  for (const signal of [0, 'SIGTERM', 'SIGKILL'] as const) {
    for (const pid of pids) send(pid, signal)
    const deadlineMs = performance.now() + EACH_MS
    while (pids.length > 0 && performance.now() < deadlineMs) {
      await delay(LOOK_EVERY_MS)
      pids = await daemonsOf(program, argument)
    }
  }
  return pids
}

function send(pid: number, signal: NodeJS.Signals | 0): void {
  try {
    process.kill(pid, signal)
  } catch {
    // it has gone by itself
  }
}
