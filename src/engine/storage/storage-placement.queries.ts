import type { Host } from '../hosts/host.entity.js'
import type { Tx } from '../platform/database.js'
import { Storage } from './storage.entity.js'
import { columnsOf } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import type { AskedHost } from './storage-intent.js'

/** Rows that a host could not take on or let go are tried again after this long, refused hosts too. */
const RETRY = `interval '30 seconds'`

/** Whether storage `s` is to be on host `h`: docs of `StorageSelector`. */
const MATCHES = `(NOT s.deleting AND NOT s.selector -> 'exceptHostIds' ? h.id::text
  AND (h.labels @> (s.selector -> 'labels') OR s.selector -> 'hostIds' ? h.id::text))`

const WITHOUT_ROW = `NOT EXISTS (SELECT FROM storage_connections c WHERE c.storage_id = s.id AND c.host_id = h.id)`
const NOT_REFUSED = `NOT EXISTS (SELECT FROM storage_refusals r
  WHERE r.storage_id = s.id AND r.host_id = h.id AND r.refused_at > now() - ${RETRY})`
const RESTED = `c.updated_at < now() - ${RETRY}`
/** A host that could not let go is not asked again at once. */
const MUST_GO = `c.provisioning_status <> 'PENDING_DELETE' AND NOT ${MATCHES}
  AND (c.provisioning_status <> 'ERROR' OR ${RESTED} OR NOT EXISTS (
    SELECT FROM tombstones t WHERE t.host_id = c.host_id AND t.subject = 'storage-connection/' || c.connection_id
      AND t.state = 'waiting'))`
const MUST_CHANGE = `c.provisioning_status <> 'PENDING_DELETE' AND ${MATCHES} AND ${NOT_REFUSED}
  AND (c.storage_generation IS DISTINCT FROM s.intent_generation OR (c.provisioning_status = 'ERROR' AND ${RESTED}))`

/** A refusal that is none any more: of a host that matches no more, or has the storage as it is wanted. */
const STRAY = `(NOT ${MATCHES} OR EXISTS (
  SELECT FROM storage_connections c WHERE c.storage_id = s.id AND c.host_id = h.id
    AND c.storage_generation = s.intent_generation AND c.provisioning_status <> 'ERROR'))`

/** Storages for which something is to be done, the longest untouched first. */
export async function storagesDue(tx: Tx, limit: number): Promise<string[]> {
  const rows: { id: string }[] = await tx.query(
    `SELECT s.id FROM storages s
     WHERE s.placed_generation < s.generation
       OR (s.deleting AND NOT EXISTS (SELECT FROM storage_connections c WHERE c.storage_id = s.id))
       OR EXISTS (SELECT FROM hosts h WHERE ${MATCHES} AND ${WITHOUT_ROW} AND ${NOT_REFUSED})
       OR EXISTS (SELECT FROM storage_connections c JOIN hosts h ON h.id = c.host_id
                  WHERE c.storage_id = s.id AND ((${MUST_GO}) OR (${MUST_CHANGE})))
       OR EXISTS (SELECT FROM storage_refusals r JOIN hosts h ON h.id = r.host_id WHERE r.storage_id = s.id AND ${STRAY})
     ORDER BY s.updated_at, s.id LIMIT $1`,
    [limit],
  )
  return rows.map(({ id }) => id)
}

/** Those that may have to come to this host, or go from it. */
export async function storagesOfHost(tx: Tx, hostId: string): Promise<string[]> {
  const rows: { id: string }[] = await tx.query(
    `SELECT s.id FROM storages s JOIN hosts h ON h.id = $1
     WHERE ${MATCHES} OR EXISTS (SELECT FROM storage_connections c WHERE c.storage_id = s.id AND c.host_id = h.id)
     ORDER BY s.id LIMIT 1000`,
    [hostId],
  )
  return rows.map(({ id }) => id)
}

/** Its lock is what makes placements of one storage pass one by one, on whichever replica. */
export const lockStorage = (tx: Tx, id: string): Promise<Storage | null> =>
  tx.findOne(Storage, { where: { id }, lock: { mode: 'for_no_key_update' } })

const rowsOf = (condition: string): string =>
  `SELECT ${columnsOf('c')} FROM storages s JOIN storage_connections c ON c.storage_id = s.id JOIN hosts h ON h.id = c.host_id
   WHERE s.id = $1 AND ${condition} ORDER BY c.id LIMIT $2 FOR UPDATE OF c`

export const rowsToGo = (tx: Tx, storageId: string, limit: number): Promise<StorageConnection[]> =>
  tx.query(rowsOf(MUST_GO), [storageId, limit])

export const rowsToChange = (tx: Tx, storageId: string, limit: number): Promise<StorageConnection[]> =>
  tx.query(rowsOf(MUST_CHANGE), [storageId, limit])

export type MatchedHost = AskedHost & Pick<Host, 'id'>

const HOST = `h.id, h.name, h.agent_id AS "agentId", h.kinds, h.capabilities, h.facts`

export const hostsOf = (tx: Tx, rows: readonly StorageConnection[]): Promise<MatchedHost[]> =>
  tx.query(`SELECT ${HOST} FROM hosts h WHERE h.id = ANY($1::uuid[])`, [rows.map(({ hostId }) => hostId)])

export const hostsWithout = (tx: Tx, storageId: string, limit: number): Promise<MatchedHost[]> =>
  tx.query(
    `SELECT ${HOST} FROM storages s JOIN hosts h ON ${MATCHES} AND ${WITHOUT_ROW} AND ${NOT_REFUSED}
     WHERE s.id = $1 ORDER BY h.id LIMIT $2`,
    [storageId, limit],
  )

export async function forgetStrayRefusals(tx: Tx, storageId: string): Promise<void> {
  await tx.query(
    `DELETE FROM storage_refusals r USING storages s, hosts h
     WHERE r.storage_id = $1 AND s.id = r.storage_id AND h.id = r.host_id AND ${STRAY}`,
    [storageId],
  )
}

/** @returns the hosts that were not refused so before */
export async function recordRefusals(
  tx: Tx,
  storageId: string,
  refused: readonly { readonly hostId: string; readonly fault: { readonly type: string; readonly message: string } }[],
): Promise<string[]> {
  const rows: { host_id: string; fresh: boolean }[] = await tx.query(
    `WITH given AS (SELECT * FROM jsonb_to_recordset($2::jsonb) AS g("hostId" uuid, fault jsonb)),
       before AS (SELECT host_id, fault ->> 'type' AS type FROM storage_refusals WHERE storage_id = $1)
     INSERT INTO storage_refusals AS r (storage_id, host_id, fault) SELECT $1, "hostId", fault FROM given
     ON CONFLICT (storage_id, host_id) DO UPDATE SET fault = EXCLUDED.fault, refused_at = now()
     RETURNING r.host_id,
       NOT EXISTS (SELECT FROM before b WHERE b.host_id = r.host_id AND b.type = r.fault ->> 'type') AS fresh`,
    [storageId, JSON.stringify(refused)],
  )
  return rows.filter(({ fresh }) => fresh).map((row) => row.host_id)
}
