import { serversOf } from './member-changes.js'
import type { StatRow } from './stat.js'

/** A member that has left keeps its connections for no longer: as long as a process has after a reload (`hard-stop-after`). */
export const LEAVING_MS = 30 * 60_000
/** Of `show stat`: 0 a frontend, 1 a backend, 2 a server. */
const SERVER_TYPE = '2'

/**
 * Servers that a process still has and its configuration has not any more: out of use, but with connections that have not
 * ended. Each is deleted as soon as it can be, and loses its connections when its time is over.
 */
export class Leavers {
  private readonly since = new Map<string, number>()

  constructor(private readonly leavingMs: number = LEAVING_MS) {}

  /** @returns what the process is to be told now */
  commands(config: string, rows: readonly StatRow[], nowMs: number): string[] {
    const wanted = serversOf(config)
    const leaving = rows
      .filter(({ type, pxname, svname }) => type === SERVER_TYPE && !wanted.has(`${pxname}/${svname}`))
      .map(({ pxname, svname }) => `${pxname}/${svname}`)
    for (const at of this.since.keys()) if (!leaving.includes(at)) this.since.delete(at)
    return leaving.flatMap((at) => {
      const sinceMs = this.since.get(at) ?? nowMs
      this.since.set(at, sinceMs)
      const end = nowMs - sinceMs >= this.leavingMs ? [`shutdown sessions server ${at}`] : []
      return [`set server ${at} state maint`, ...end, `del server ${at}`]
    })
  }
}
