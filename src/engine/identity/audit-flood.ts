import { BoundedCounters } from '../platform/bounded-counters.js'
import { networkOf } from '../platform/client-address.js'
import type { AuditDraft } from './audit-drafts.js'

/** As many as the usual limit lets an address call in a minute without signing in. */
const EACH_A_ROW = 600
const WINDOW_MS = 60_000
/** Addresses that are told apart; the others share a row. */
const MOST = 1_000
const ELSEWHERE = 'several'

interface Folded {
  readonly draft: AuditDraft
  readonly count: number
}

/**
 * Keeps whoever is refused without end from writing the log full: what an address is refused beyond so many a minute, nobody
 * having signed in, or by the limits, is counted, and the count becomes a row.
 */
export class AuditFlood {
  private readonly counters = new BoundedCounters()
  private readonly folded = new Map<string, Folded>()

  get isEmpty(): boolean {
    return this.folded.size === 0
  }

  /** Whether an address has its rows for this minute already: it is not worth a look who that is, either. */
  isOver(address: string): boolean {
    return this.counters.fullFor(networkOf(address), EACH_A_ROW) !== null
  }

  /** @returns whether the row is to be written; otherwise it is counted */
  admits(draft: AuditDraft): boolean {
    const isCounted = (draft.userId === null && draft.method !== '') || draft.status === 429
    if (!isCounted) return true
    const network = networkOf(draft.address)
    if (this.counters.hit(network, WINDOW_MS, EACH_A_ROW).totalHits <= EACH_A_ROW) return true
    const key = this.folded.has(network) || this.folded.size < MOST ? network : ELSEWHERE
    const count = (this.folded.get(key)?.count ?? 0) + 1
    this.folded.set(key, { draft: { ...draft, address: key }, count })
    return false
  }

  /** A row for each address, of what was counted since the last time. */
  take(): AuditDraft[] {
    const rows = [...this.folded.values()].map(({ draft, count }) => ({ ...anonymized(draft), path: wordsOf(count) }))
    this.folded.clear()
    return rows
  }
}

const wordsOf = (count: number): string => `${count} more refused calls have no rows of their own`

const anonymized = (draft: AuditDraft): AuditDraft => ({
  ...draft,
  requestId: null,
  userId: null,
  userName: 'anonymous',
  tokenId: null,
  operation: 'audit.folded',
  method: '',
  subjects: [],
  projectId: null,
  corrects: null,
})
