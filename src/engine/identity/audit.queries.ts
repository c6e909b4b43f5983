import { type Database, prepared, type Tx } from '../platform/database.js'
import type { AuditContent } from './audit-content.js'
import type { AuditDraft } from './audit-drafts.js'
import type { AuditEntry } from './audit-entry.entity.js'
import type { AuditPlace } from './audit-hash.js'

export type UnchainedRow = AuditContent & {
  readonly incarnation: number
  readonly xid: number
  readonly id: number
}

const CONTENT: Readonly<Record<keyof AuditContent, string>> = {
  at: 'at',
  requestId: 'request_id',
  userId: 'user_id',
  userName: 'user_name',
  tokenId: 'token_id',
  address: 'address',
  operation: 'operation',
  method: 'method',
  path: 'path',
  subjects: 'subjects',
  projectId: 'project_id',
  status: 'status',
  problem: 'problem',
  corrects: 'corrects',
}

const columns = Object.values(CONTENT).join(', ')
const aliased = Object.entries(CONTENT)
  .map(([property, column]) => `${column} AS "${property}"`)
  .join(', ')

/** Where one statement makes many changes: the command that this one's draft goes with, and its place among them. */
interface DraftOfMany {
  readonly commandId?: string
  readonly place?: number
}

/** A draft, and how long ago its outcome was decided. */
export type Decided = AuditDraft & { readonly ageMs: number }

/**
 * @param when `changed`: only where the transaction has written something before
 * @returns the ids of the rows
 */
export async function insertUnchained(
  tx: Tx,
  drafts: readonly Decided[],
  when: 'always' | 'changed' = 'always',
): Promise<number[]> {
  const rows = await prepared<{ id: number }>(
    tx,
    'audit_insert',
    `${recordFrom('$1')} WHERE $2 = 'always' OR pg_current_xact_id_if_assigned() IS NOT NULL RETURNING id`,
    [encodeDrafts(drafts), when],
  )
  return rows.map(({ id }) => id)
}

/** The insert as a part of another statement, which goes on with its own WHERE; `parameter` is what `encodeDrafts` gives. */
export const recordFrom = (parameter: string): string =>
  `INSERT INTO audit_unchained (incarnation, ${columns})
   SELECT (SELECT max(number) FROM incarnations), clock_timestamp() - d."ageMs" * interval '1 millisecond',
     d."requestId", d."userId", d."userName", d."tokenId", d.address, d.operation, d.method, d.path, d.subjects,
     d."projectId", d.status, d.problem, d.corrects
   FROM jsonb_to_recordset(${parameter}::jsonb) AS d("ageMs" float8, "requestId" text, "userId" uuid, "userName" text,
     "tokenId" uuid, address text, operation text, method text, path text, subjects text[], "projectId" uuid,
     status integer, problem text, corrects bigint,
     "commandId" uuid, place integer)`

export const encodeDrafts = (drafts: readonly (Decided & DraftOfMany)[]): string => JSON.stringify(drafts)

/** Where the chain ends: its last row, or what retention left of it. */
const HEAD = `SELECT seq, hash FROM (
     (SELECT seq, hash FROM audit_entries ORDER BY seq DESC LIMIT 1)
     UNION ALL (SELECT seq, hash FROM audit_anchors ORDER BY seq DESC LIMIT 1)) ends
   ORDER BY seq DESC LIMIT 1`

export async function readHead(tx: Tx): Promise<AuditPlace> {
  const [row] = await prepared<{ seq: number; hash: string }>(tx, 'audit_head', HEAD)
  if (!row) throw new Error('the audit log has no beginning')
  return row
}

export interface Unchained {
  /** Oldest first, and only what no open transaction can still get ahead of. */
  readonly rows: readonly UnchainedRow[]
  /** What they are to be chained to. */
  readonly head: AuditPlace
}

/** Plan: the primary key from its beginning. */
export async function readUnchained(tx: Tx, limit: number): Promise<Unchained | null> {
  const found = await prepared<UnchainedRow & { headSeq: number | null; headHash: string | null }>(
    tx,
    'audit_unchained',
    `SELECT u.*, h.seq AS "headSeq", h.hash AS "headHash" FROM (
       SELECT incarnation, xid, id, ${aliased} FROM audit_unchained
       WHERE (incarnation, xid) <
         (SELECT max(number), pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM incarnations)
       ORDER BY incarnation, xid, id LIMIT $1) u
     LEFT JOIN (${HEAD}) h ON true ORDER BY u.incarnation, u.xid, u.id`,
    [limit],
  )
  const [first] = found
  if (!first) return null
  if (first.headSeq === null || first.headHash === null) throw new Error('the audit log has no beginning')
  const head = { seq: first.headSeq, hash: first.headHash }
  return { rows: found.map(({ headSeq: _, headHash: __, ...row }) => row), head }
}

/** Moves rows to their places in one statement: each is in one of the two tables, or nothing has happened. */
export async function moveToChain(
  tx: Tx,
  rows: readonly (UnchainedRow & { readonly seq: number; readonly previousHash: string; readonly hash: string })[],
): Promise<number> {
  const moved = await prepared(
    tx,
    'audit_move',
    `WITH place AS (
       SELECT * FROM unnest($1::int[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[], $6::text[])
         AS p(incarnation, xid, id, seq, previous_hash, hash)
     ), taken AS (
       DELETE FROM audit_unchained u USING place p
       WHERE (u.incarnation, u.xid, u.id) = (p.incarnation, p.xid, p.id) RETURNING u.*
     )
     INSERT INTO audit_entries (seq, id, ${columns}, previous_hash, hash)
     SELECT p.seq, id, ${columns}, p.previous_hash, p.hash FROM taken JOIN place p USING (incarnation, xid, id)
     RETURNING seq`,
    [
      rows.map((row) => row.incarnation),
      rows.map((row) => row.xid),
      rows.map((row) => row.id),
      rows.map((row) => row.seq),
      rows.map((row) => row.previousHash),
      rows.map((row) => row.hash),
    ],
  )
  return moved.length
}

/** Plan: a range of the primary key. */
export function readChain(database: Database, after: number, limit: number): Promise<AuditEntry[]> {
  return database.query<AuditEntry>(
    'audit_chain',
    `SELECT seq, id, ${aliased}, previous_hash AS "previousHash", hash FROM audit_entries
     WHERE seq > $1 ORDER BY seq LIMIT $2`,
    [after, limit],
  )
}
