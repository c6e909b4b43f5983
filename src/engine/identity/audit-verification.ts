import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { readChain, readHead } from './audit.queries.js'
import type { AuditEntry } from './audit-entry.entity.js'
import { type AuditPlace, hashOf } from './audit-hash.js'
import { anchorIsVouched, findByHash, readAnchor } from './audit-retention.queries.js'

export const auditFaults = ['changed', 'removed', 'reordered', 'cut', 'rewritten', 'anchor'] as const

/** Of the head that was asked for: it is as it was, comes later, came before what was walked, or is another. */
export const headStates = ['matches', 'ahead', 'passed', 'differs'] as const

export interface AuditFault {
  readonly kind: (typeof auditFaults)[number]
  /** The first row that is not as it was. */
  readonly seq: number
  readonly message: string
}

export interface Verified {
  readonly fault: AuditFault | null
  readonly checked: number
  readonly from: AuditPlace
  /** The last row that is as it was written. */
  readonly to: AuditPlace
  readonly atEnd: boolean
  readonly head: (typeof headStates)[number] | null
}

export interface Span {
  /** That far it was verified before; null: from the beginning. */
  readonly from: AuditPlace | null
  /** As it was once told. */
  readonly head: AuditPlace | null
  readonly limit: number
}

const PAGE = 1_000

/** Walks the chain a page at a time: what it takes does not grow with the log. */
@Injectable()
export class AuditVerification {
  constructor(private readonly database: Database) {}

  async verify(span: Span): Promise<Verified> {
    const anchor = await readAnchor(this.database)
    // retention may have passed the place since
    const begin = span.from && span.from.seq > anchor.seq ? span.from : anchor
    const found = await this.walk(begin, span)
    if (!found.fault) return found
    // or removed, while this was walking, the rows that it missed
    return (await readAnchor(this.database)).seq > found.to.seq ? this.verify(span) : found
  }

  private async walk(begin: AuditPlace, { from, head, limit }: Span): Promise<Verified> {
    let to = begin
    let checked = 0
    let known: Verified['head'] = head && compare(head, begin)
    const answer = (fault: AuditFault | null, atEnd = false): Verified => ({
      fault,
      checked,
      from: begin,
      to,
      atEnd,
      head: known,
    })
    const unvouched = from === null ? await this.anchorFault(begin) : null
    if (unvouched) return answer(unvouched)
    if (known === 'differs') return answer(rewritten(begin))
    while (checked < limit) {
      const size = Math.min(PAGE, limit - checked)
      const rows = await readChain(this.database, to.seq, size)
      for (const row of rows) {
        const fault = await this.faultOf(row, to)
        if (fault) return answer(fault)
        to = { seq: row.seq, hash: row.hash }
        checked++
        if (head?.seq === row.seq) known = compare(head, to)
        if (known === 'differs') return answer(rewritten(to))
      }
      if (rows.length < size) return answer(await this.cutFault(to, head), true)
    }
    return answer(null)
  }

  private async faultOf(row: AuditEntry, before: AuditPlace): Promise<AuditFault | null> {
    const seq = before.seq + 1
    if (row.seq !== seq) return { kind: 'removed', seq, message: `rows ${seq} to ${row.seq - 1} are gone` }
    const place = row.previousHash === before.hash ? null : await findByHash(this.database, row.previousHash)
    if (place !== null) return { kind: 'reordered', seq, message: `row ${seq} was written after row ${place}` }
    if (row.previousHash !== before.hash || hashOf(row) !== row.hash) {
      return { kind: 'changed', seq, message: `row ${seq} is not as it was written` }
    }
    return null
  }

  /** The rows that are last can be missed only by somebody who knows of them. */
  private async cutFault(to: AuditPlace, head: AuditPlace | null): Promise<AuditFault | null> {
    const end = await this.database.statement((tx) => readHead(tx))
    const lastKnown = Math.max(to.seq, head?.seq ?? 0)
    if (end.seq >= lastKnown) return null
    const seq = Math.min(end.seq, to.seq) + 1
    return { kind: 'cut', seq, message: `rows ${seq} to ${lastKnown} were there, and are gone` }
  }

  /** What retention removes, it writes into the chain itself. */
  private async anchorFault(anchor: AuditPlace): Promise<AuditFault | null> {
    if (anchor.seq === 0 || (await anchorIsVouched(this.database, anchor))) return null
    const message = `rows up to ${anchor.seq} are gone, and no row says that retention removed them`
    return { kind: 'anchor', seq: anchor.seq + 1, message }
  }
}

function compare(head: AuditPlace, place: AuditPlace): Verified['head'] {
  if (head.seq < place.seq) return 'passed'
  if (head.seq > place.seq) return 'ahead'
  return head.hash === place.hash ? 'matches' : 'differs'
}

const rewritten = ({ seq }: AuditPlace): AuditFault => ({
  kind: 'rewritten',
  seq,
  message: `row ${seq} once had another hash: it, or rows before it, were written anew`,
})
