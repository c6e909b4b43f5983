import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { readHead } from './audit.queries.js'
import { type AuditPlace, writePlace } from './audit-hash.js'

export interface AuditHead extends AuditPlace {
  /** Rows that wait for their place. */
  readonly unchained: number
}

type Told = (head: { readonly head: string }) => void

/** Where the chain ends now. Whoever keeps it elsewhere can tell later whether the log still holds it. */
@Injectable()
export class AuditHeads {
  private lastTold = 0
  private tell: Told = () => undefined

  constructor(private readonly database: Database) {}

  toldTo(tell: Told): void {
    this.tell = tell
  }

  async read(): Promise<AuditHead> {
    const place = await this.database.statement((tx) => readHead(tx))
    const sql = 'SELECT count(*)::int AS unchained FROM audit_unchained'
    const [row] = await this.database.query<{ unchained: number }>('audit_unchained_count', sql)
    return { ...place, unchained: row?.unchained ?? 0 }
  }

  /** Where it has moved since the last time. */
  async print(): Promise<void> {
    const place = await this.database.statement((tx) => readHead(tx))
    if (place.seq === this.lastTold) return
    this.lastTold = place.seq
    this.tell({ head: writePlace(place) })
  }
}
