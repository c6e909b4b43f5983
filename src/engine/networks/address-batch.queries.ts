import { prepared, type Tx } from '../platform/database.js'
import type { NewClaim } from './network.queries.js'

export interface BatchClaim {
  readonly place: number
  readonly address: string
}

/**
 * As `tryLowest`, for many in one statement: of each network as many as are asked for, lowest first. Whoever gets none has to
 * claim by itself, and finds out why. Plan: the first of `ix_network_addresses_free`, network by network.
 */
export const tryLowestOfMany = (tx: Tx, claims: readonly NewClaim[]): Promise<BatchClaim[]> =>
  prepared<BatchClaim & Record<string, unknown>>(
    tx,
    'networks_try_lowest_of_many',
    `WITH asked AS (
       SELECT a.*, row_number() OVER (PARTITION BY a."networkId" ORDER BY a.place) AS turn
       FROM jsonb_to_recordset($1::jsonb) AS a(place int, "networkId" uuid, "projectId" uuid, noun text, id text)
       JOIN networks n ON n.id = a."networkId" AND (n.project_id IS NULL OR n.project_id = a."projectId")
     ), free AS MATERIALIZED (
       SELECT w."networkId", f.address FROM (SELECT "networkId", count(*) AS many FROM asked GROUP BY "networkId" ORDER BY 1) w
       CROSS JOIN LATERAL (
         SELECT address FROM network_addresses WHERE network_id = w."networkId" AND holder_id IS NULL
         ORDER BY network_id, address + 0 LIMIT w.many FOR UPDATE SKIP LOCKED) f
     ), given AS (
       SELECT a.*, f.address FROM asked a
       JOIN (SELECT *, row_number() OVER (PARTITION BY "networkId" ORDER BY address) AS turn FROM free) f
         ON f."networkId" = a."networkId" AND f.turn = a.turn
     )
     UPDATE network_addresses x
     SET holder_noun = g.noun, holder_id = g.id, project_id = g."projectId", since = now()
     FROM given g WHERE x.network_id = g."networkId" AND x.address = g.address
     RETURNING g.place, x.address`,
    [JSON.stringify(claims.map((claim, place) => ({ ...claim, place })))],
  )
