import type { Database, Tx } from '../platform/database.js'
import { type AuditPlace, writePlace } from './audit-hash.js'

export const RETENTION_OPERATION = 'audit.retention'

/** What a row of the chain is about that tells of a removal. */
export const anchorSubject = (anchor: AuditPlace): string => `audit/${writePlace(anchor)}`

/** Where the chain begins: the last row that retention has removed. */
export async function readAnchor(database: Database): Promise<AuditPlace> {
  const sql = 'SELECT seq, hash FROM audit_anchors ORDER BY seq DESC LIMIT 1'
  const [row] = await database.query<{ seq: number; hash: string }>('audit_anchor', sql)
  if (!row) throw new Error('the audit log has no beginning')
  return row
}

/** Whether a row, in the chain or on its way there, tells of this removal. */
export async function anchorIsVouched(database: Database, anchor: AuditPlace): Promise<boolean> {
  const [row] = await database.query<{ found: boolean }>(
    'audit_anchor_vouched',
    `SELECT EXISTS (SELECT FROM audit_entries WHERE subjects @> ARRAY[$1::text] AND operation = $2)
       OR EXISTS (SELECT FROM audit_unchained WHERE subjects @> ARRAY[$1::text] AND operation = $2) AS found`,
    [anchorSubject(anchor), RETENTION_OPERATION],
  )
  return row?.found ?? false
}

/** Reads the whole table: asked once, when a fault is found already. */
export async function findByHash(database: Database, hash: string): Promise<number | null> {
  const sql = 'SELECT seq FROM audit_entries WHERE hash = $1 LIMIT 1'
  const [row] = await database.query<{ seq: number }>('audit_by_hash', sql, [hash])
  return row?.seq ?? null
}

/**
 * Removes the oldest rows of a batch as far as each is older than the retention, and moves the anchor after them.
 * @returns the new anchor; null when the oldest row is young
 */
export async function removeOldest(tx: Tx, retentionMs: number, batch: number): Promise<AuditPlace | null> {
  const rows: AuditPlace[] = await tx.query(
    `WITH oldest AS (
       SELECT seq, hash, at < now() - $1::float8 * interval '1 millisecond' AS old
       FROM audit_entries ORDER BY seq LIMIT $2
     ), last AS (
       SELECT seq, hash FROM oldest
       WHERE seq < coalesce((SELECT min(seq) FROM oldest WHERE NOT old), (SELECT max(seq) + 1 FROM oldest))
       ORDER BY seq DESC LIMIT 1
     ), removed AS (
       DELETE FROM audit_entries WHERE seq <= (SELECT seq FROM last)
     )
     INSERT INTO audit_anchors (seq, hash) SELECT seq, hash FROM last RETURNING seq, hash`,
    [retentionMs, batch],
  )
  return rows[0] ?? null
}
