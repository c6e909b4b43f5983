import { Injectable } from '@nestjs/common'
import { Database, prepared } from '../platform/database.js'
import { moveToChain, readUnchained } from './audit.queries.js'
import { hashOf } from './audit-hash.js'

const BATCH = 500
/** One number for all Keelson processes on one database. */
const CHAIN_LOCK = 0x6b656175

/**
 * Gives rows their places. One transaction a batch: whoever dies in it has done nothing. The lock only saves two replicas
 * from doing the same work; that the chain cannot fork follows from `seq` being a primary key, and each row being moved.
 */
@Injectable()
export class AuditChain {
  constructor(private readonly database: Database) {}

  /** @returns whether there may be more; null when another replica is at it */
  async append(): Promise<boolean | null> {
    return this.database.aside(async (tx) => {
      const [turn] = await prepared<{ mine: boolean }>(
        tx,
        'audit_turn',
        'SELECT pg_try_advisory_xact_lock($1) AS mine',
        [CHAIN_LOCK],
      )
      if (!turn?.mine) return null
      const found = await readUnchained(tx, BATCH)
      if (!found) return false
      const { rows } = found
      let { seq, hash } = found.head
      const placed = rows.map((row) => {
        const { incarnation: _, xid: __, ...content } = row
        const entry = { ...content, seq: ++seq, previousHash: hash }
        hash = hashOf(entry)
        return { ...row, seq, previousHash: entry.previousHash, hash }
      })
      const moved = await moveToChain(tx, placed)
      // another writer was faster with some of them
      if (moved !== rows.length) throw new Error(`${moved} of ${rows.length} rows could be chained`)
      return rows.length === BATCH
    })
  }
}
