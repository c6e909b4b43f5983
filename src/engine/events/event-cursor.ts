/**
 * Where a reader of events stands: `<incarnation>-<its id's first 8 digits>.<xid>.<id>`. Transactions commit out of
 * order, so the order is that of transaction ids, read only below the oldest one still open; and transaction ids begin
 * anew with a restored cluster, so the incarnation comes first, with its id against a second history of the same number.
 */
export interface EventCursor {
  readonly incarnation: number
  readonly incarnationId: string
  readonly xid: number
  /** 0: before the first event of an empty log. */
  readonly id: number
}

const FORM = /^(\d{1,9})-([0-9a-f]{8})\.(\d{1,15})\.(\d{1,15})$/

export function writeEventCursor(c: EventCursor): string {
  return `${c.incarnation}-${c.incarnationId.slice(0, 8)}.${c.xid}.${c.id}`
}

/** Null when it is none of ours. */
export function readEventCursor(text: string): EventCursor | null {
  const match = FORM.exec(text)
  if (!match) return null
  const [, incarnation, incarnationId = '', xid, id] = match
  return { incarnation: Number(incarnation), incarnationId, xid: Number(xid), id: Number(id) }
}

/** Below 0 where `a` stands before `b`. */
export function compareCursors(a: EventCursor, b: EventCursor): number {
  return a.incarnation - b.incarnation || a.xid - b.xid || a.id - b.id
}
