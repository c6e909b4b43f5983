import type { FastifyRequest } from 'fastify'
import { callerOf } from './access.guard.js'
import { type Database, prepared, type Tx } from './database.js'

/** A request as its caller repeats it: another caller's key is another key. */
export interface Call {
  readonly scope: string
  readonly key: string
  /** What was asked: it may hold secrets, so only a mark of it is kept. */
  readonly content: string
}

export interface StoredReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: string | null
  /** Instead of the body, where it shows a secret. */
  readonly sealedBody: string | null
}

export function callOf(request: FastifyRequest, key: string): Call {
  const path = request.url.split('?', 1)[0]?.replace(/\/$/, '') ?? ''
  // another token of the same user may be good for less
  const { userId, tokenId } = callerOf(request)
  return {
    scope: `${[userId ?? 'anyone', ...(tokenId ? [tokenId] : [])].join('/')} ${request.method} ${path}`,
    key,
    content: canonical([request.query, request.body ?? null]),
  }
}

/** For the length of the transaction; false when another request of the same key is under way, on any replica. */
export async function claimKey(tx: Tx, { scope, key }: Call): Promise<boolean> {
  const sql = 'SELECT pg_try_advisory_xact_lock(hashtextextended($1, 0)) AS claimed'
  const rows = await prepared<{ claimed: boolean }>(tx, 'idempotency.claim', sql, [`${scope} ${key}`])
  return rows[0]?.claimed === true
}

export async function findReply(
  tx: Tx,
  { scope, key }: Call,
): Promise<(StoredReply & { fingerprint: string }) | undefined> {
  const sql = `SELECT fingerprint, status, headers, body, sealed_body AS "sealedBody" FROM idempotency_keys
    WHERE scope = $1 AND key = $2 AND created_at > now() - interval '24 hours'`
  const rows = await prepared<StoredReply & { fingerprint: string }>(tx, 'idempotency.find', sql, [scope, key])
  return rows[0]
}

export async function storeReply(
  tx: Tx,
  { scope, key }: Call,
  fingerprint: string,
  { status, headers, body, sealedBody }: StoredReply,
): Promise<void> {
  // a key of more than 24 hours may still be there, waiting to be removed
  const sql = `INSERT INTO idempotency_keys (scope, key, fingerprint, status, headers, body, sealed_body)
    VALUES ($1, $2, $3, $4, $5, $6, $7)
    ON CONFLICT ON CONSTRAINT pk_idempotency_keys DO UPDATE SET fingerprint = excluded.fingerprint,
      status = excluded.status, headers = excluded.headers, body = excluded.body,
      sealed_body = excluded.sealed_body, created_at = now()`
  const text = body === null ? null : JSON.stringify(body)
  const values = [scope, key, fingerprint, status, JSON.stringify(headers), text, sealedBody]
  await prepared(tx, 'idempotency.store', sql, values)
}

/** Keys are kept for 24 hours. */
export async function removeExpiredIdempotencyKeys(database: Database): Promise<void> {
  const sql = `DELETE FROM idempotency_keys WHERE created_at < now() - interval '24 hours'`
  await database.query('idempotency.remove-expired', sql)
}

/** JSON with its members in one order, so that a client that shuffles them is still the same. */
function canonical(value: unknown): string {
  if (typeof value !== 'object' || value === null) return JSON.stringify(value)
  if (Array.isArray(value)) return `[${value.map(canonical).join(',')}]`
  const members = Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
  return `{${members.map(([name, member]) => `${JSON.stringify(name)}:${canonical(member)}`).join(',')}}`
}
