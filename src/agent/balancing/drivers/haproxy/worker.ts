import { setTimeout as pause } from 'node:timers/promises'
import { ask } from './socket.js'

const ANSWER_MS = 2000
const LOOK_EVERY_MS = 10

/** What the master says of itself and its newest worker. */
export interface Workers {
  readonly reloads: number
  readonly failed: number
  /** Null: none was started by the last reload. */
  readonly current: number | null
}

/** The sockets of the process, however deep its directory lies: a name of a socket has 107 bytes. */
export const socketOf = (master: number, name: 'master' | 'stats'): string => `/proc/${master}/cwd/${name}`

/** `show proc` of the master: `4711 master 2 [failed: 0] …`, then a line for each worker and its age in reloads. */
export function parseWorkers(text: string): Workers | null {
  const [, reloads, failed] = /^\d+\s+master\s+(\d+) \[failed: (\d+)\]/m.exec(text) ?? []
  if (reloads === undefined) return null
  const current = /^(\d+)\s+worker\s+0\s/m.exec(text)?.[1]
  return { reloads: Number(reloads), failed: Number(failed), current: current === undefined ? null : Number(current) }
}

/** Null: the master does not answer, as while it begins anew. */
export async function readWorkers(master: number): Promise<Workers | null> {
  try {
    return parseWorkers(await ask(socketOf(master, 'master'), 'show proc', ANSWER_MS))
  } catch {
    return null
  }
}

/** Until what the master says is as wanted; null when that takes too long. */
export async function awaitWorkers(
  master: number,
  isWanted: (workers: Workers) => boolean,
  deadlineMs: number,
): Promise<Workers | null> {
  const endMs = performance.now() + deadlineMs
  while (performance.now() < endMs) {
    const workers = await readWorkers(master)
    if (workers !== null && isWanted(workers)) return workers
    await pause(LOOK_EVERY_MS)
  }
  return null
}
