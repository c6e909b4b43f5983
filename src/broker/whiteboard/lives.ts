import { parseHostBlock } from '../host-block.js'
import { CLUSTER } from './layout.js'

/** A host whose timestamp has not changed for so long is not alive (facts of oVirt's broker). */
export const ALIVE_MS = 60_000

interface Life {
  readonly timestamp: number
  readonly hostName: string
  /** When it was first seen with this timestamp, by this host's monotonic clock; null: it was there at the first look. */
  readonly changedMs: number | null
}

/**
 * Who is alive, judged by timestamps that change, over the reader's own clock: no host's wall clock matters. What stood
 * there at the first look says nothing yet.
 */
export class Lives {
  private lives = new Map<number, Life>()
  private looked = false

  note(blocks: ReadonlyMap<number, Buffer>, nowMs: number): void {
    const next = new Map<number, Life>()
    for (const [id, block] of blocks) {
      if (id === CLUSTER) continue
      const parsed = parseHostBlock(block)
      if (!('stats' in parsed)) continue
      const { timestamp, hostName } = parsed.stats
      const before = this.lives.get(id)
      const changedMs = before?.timestamp === timestamp ? before.changedMs : this.looked ? nowMs : null
      next.set(id, { timestamp, hostName, changedMs })
    }
    this.lives = next
    this.looked = true
  }

  alive(nowMs: number): number[] {
    return [...this.lives].filter(([, { changedMs }]) => isRecent(changedMs, nowMs)).map(([id]) => id)
  }

  /** @returns the name under which somebody lives with this id, null where nobody does */
  nameOf(hostId: number, nowMs: number): string | null {
    const life = this.lives.get(hostId)
    return life && isRecent(life.changedMs, nowMs) ? life.hostName : null
  }
}

const isRecent = (changedMs: number | null, nowMs: number) => changedMs !== null && nowMs - changedMs <= ALIVE_MS
