import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { prepared, type Tx } from '../platform/database.js'

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

/**
 * All that leads to targets, as `s`: connections of these projects; where that is of all, also what hosts have of themselves.
 * @param where what both tables are narrowed by
 * @param visible the parameter of the projects
 */
const leading = (where: string, visible: '$1' | '$2'): string =>
  `(SELECT 'plane' AS origin, target_id, target, host_id, connection_id, operating_status FROM storage_connections
    WHERE ${where} AND (${visible}::uuid[] IS NULL OR project_id = ANY(${visible}))
    UNION ALL
    SELECT CASE WHEN managed THEN 'host' ELSE 'nobody' END, target_id, target, host_id, connection_id, operating_status
    FROM own_storage_connections WHERE ${where} AND ${visible}::uuid[] IS NULL) s`

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
    `SELECT ${TARGET} FROM ${leading('target_id IS NOT NULL', '$1')}
     WHERE ($3::text[] IS NULL OR lower(split_part(s.target, ':', 1)) = ANY($3)) AND ($5::text IS NULL OR s.target = $5)
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
  /** Those that are not visible: of other projects, and of hosts themselves. */
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
       ((SELECT count(*) FROM storage_connections o WHERE o.target_id = $1 AND NOT ($2::uuid[] IS NULL OR o.project_id = ANY($2)))
        + (SELECT count(*) FROM own_storage_connections o WHERE o.target_id = $1 AND $2::uuid[] IS NOT NULL))::int AS others
     FROM ${leading('target_id = $1', '$2')} GROUP BY s.target_id`,
    [targetId, projectIds],
  )
  return row ?? null
}

export type StruckRow = Seen & {
  readonly hostId: string
  readonly hostName: string
  readonly connectionIds: string[]
  /** Of programs on the host. */
  readonly ownConnectionIds: string[]
}

const idsOf = (origin: string): string =>
  `(coalesce(array_agg(s.connection_id ORDER BY s.connection_id) FILTER (WHERE s.origin = '${origin}'), '{}'))[1:50]`

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
    `SELECT s.host_id AS "hostId", min(h.name) AS "hostName", ${idsOf('plane')} AS "connectionIds",
       ${idsOf('host')} AS "ownConnectionIds", ${SEEN}
     FROM ${leading('target_id = $1', '$2')} JOIN hosts h ON h.id = s.host_id
     WHERE $3::uuid IS NULL OR s.host_id > $3
     GROUP BY s.host_id ORDER BY s.host_id LIMIT $4`,
    [targetId, projectIds, after?.[0] ?? null, limit],
  )

/** Those that some connection sees. */
export const countsIn = (row: Seen): Partial<Record<StorageOperatingStatus, number>> =>
  Object.fromEntries(storageOperatingStatuses.map((status) => [status, row[status]]).filter(([, count]) => count !== 0))
