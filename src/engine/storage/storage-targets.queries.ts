import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { prepared, type Tx } from '../platform/database.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

type Seen = Readonly<Record<StorageOperatingStatus, number>>

/** Of the states of a closed list, for nobody to put words into. */
const SEEN = storageOperatingStatuses
  .map((status) => `count(*) FILTER (WHERE s.operating_status = '${status}')::int AS "${status}"`)
  .join(', ')

export type TargetRow = Seen & {
  readonly targetId: string
  readonly target: string
  readonly connections: number
  readonly hosts: number
}

const TARGET = `s.target_id AS "targetId", min(s.target) AS target, count(*)::int AS connections,
  count(DISTINCT s.host_id)::int AS hosts, ${SEEN}`

export interface TargetFilter {
  /** Null: of all. */
  readonly projectIds: readonly string[] | null
  readonly hostIds: readonly string[] | null
  readonly schemes: readonly string[] | null
  readonly operating: readonly string[] | null
  readonly target: string | null
}

/** Targets in the order of their texts. There are as many as storage servers have exports: all are grouped for a page. */
export const listTargets = (
  tx: Tx,
  filter: TargetFilter,
  after: readonly (string | null)[] | null,
  limit: number,
): Promise<TargetRow[]> =>
  prepared(
    tx,
    'storage_targets',
    `SELECT ${TARGET} FROM storage_connections s
     WHERE s.target_id IS NOT NULL AND ($1::uuid[] IS NULL OR s.project_id = ANY($1))
       AND ($3::text[] IS NULL OR lower(split_part(s.target, ':', 1)) = ANY($3)) AND ($5::text IS NULL OR s.target = $5)
     GROUP BY s.target_id
     HAVING ($2::uuid[] IS NULL OR bool_or(s.host_id = ANY($2))) AND ($4::text[] IS NULL OR bool_or(s.operating_status = ANY($4)))
       AND ($6::text IS NULL OR (min(s.target), s.target_id) > ($6, $7::text))
     ORDER BY min(s.target), s.target_id LIMIT $8`,
    [
      filter.projectIds,
      filter.hostIds,
      filter.schemes,
      filter.operating,
      filter.target,
      after?.[0] ?? null,
      after?.[1] ?? null,
      limit,
    ],
  )

export interface FoundTarget extends TargetRow {
  /** Connections of projects that are not visible. */
  readonly others: number
}

/** @returns null when nothing that is visible leads there */
export async function findTarget(
  tx: Tx,
  targetId: string,
  projectIds: readonly string[] | null,
): Promise<FoundTarget | null> {
  const [row] = await prepared<FoundTarget>(
    tx,
    'storage_target',
    `SELECT ${TARGET},
       (SELECT count(*)::int FROM storage_connections o WHERE o.target_id = $1 AND NOT ($2::uuid[] IS NULL OR o.project_id = ANY($2))) AS others
     FROM storage_connections s WHERE s.target_id = $1 AND ($2::uuid[] IS NULL OR s.project_id = ANY($2)) GROUP BY s.target_id`,
    [targetId, projectIds],
  )
  return row ?? null
}

export interface HolderRow {
  readonly id: string
  readonly hostId: string
  readonly hostName: string
  readonly hostConnected: boolean
  readonly connectionId: string
  readonly projectId: string
  readonly storageId: string | null
  readonly storageName: string | null
  readonly provisioningStatus: ProvisioningStatus
  readonly operatingStatus: StorageOperatingStatus
  readonly fault: Fault | null
  readonly since: Date
  readonly connectedSince: Date | null
  /** A tombstone waits: it was asked to go. */
  readonly leaving: boolean
}

export const listHolders = (
  tx: Tx,
  targetId: string,
  projectIds: readonly string[] | null,
  after: readonly (string | null)[] | null,
  limit: number,
): Promise<HolderRow[]> =>
  prepared(
    tx,
    'storage_holders',
    `SELECT s.id, s.host_id AS "hostId", h.name AS "hostName", h.connected AS "hostConnected", s.connection_id AS "connectionId",
       s.project_id AS "projectId", s.storage_id AS "storageId", st.name AS "storageName",
       s.provisioning_status AS "provisioningStatus", s.operating_status AS "operatingStatus", s.fault,
       s.target_since AS since, s.connected_since AS "connectedSince",
       EXISTS (SELECT FROM tombstones t WHERE t.host_id = s.host_id AND t.subject = 'storage-connection/' || s.connection_id
               AND t.state = 'waiting') AS leaving
     FROM storage_connections s JOIN hosts h ON h.id = s.host_id LEFT JOIN storages st ON st.id = s.storage_id
     WHERE s.target_id = $1 AND ($2::uuid[] IS NULL OR s.project_id = ANY($2))
       AND ($3::uuid IS NULL OR (s.host_id, s.connection_id) > ($3, $4::text))
     ORDER BY s.host_id, s.connection_id LIMIT $5`,
    [targetId, projectIds, after?.[0] ?? null, after?.[1] ?? null, limit],
  )

export type StruckRow = Seen & {
  readonly hostId: string
  readonly hostName: string
  readonly connectionIds: string[]
}

export const listStruck = (
  tx: Tx,
  targetId: string,
  projectIds: readonly string[] | null,
  after: readonly (string | null)[] | null,
  limit: number,
): Promise<StruckRow[]> =>
  prepared(
    tx,
    'storage_struck',
    `SELECT s.host_id AS "hostId", min(h.name) AS "hostName", (array_agg(s.connection_id ORDER BY s.connection_id))[1:50] AS "connectionIds",
       ${SEEN}
     FROM storage_connections s JOIN hosts h ON h.id = s.host_id
     WHERE s.target_id = $1 AND ($2::uuid[] IS NULL OR s.project_id = ANY($2)) AND ($3::uuid IS NULL OR s.host_id > $3)
     GROUP BY s.host_id ORDER BY s.host_id LIMIT $4`,
    [targetId, projectIds, after?.[0] ?? null, limit],
  )

/** Those that some connection sees. */
export const countsIn = (row: Seen): Partial<Record<StorageOperatingStatus, number>> =>
  Object.fromEntries(storageOperatingStatuses.map((status) => [status, row[status]]).filter(([, count]) => count !== 0))
