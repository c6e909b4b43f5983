import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { prepared, type Tx } from '../platform/database.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** Who asked for what leads to a target; `nobody`: its host has it connected, and no id holds it. */
export type HolderOrigin = 'plane' | 'host' | 'nobody'

export interface HolderRow {
  readonly id: string
  readonly origin: HolderOrigin
  readonly hostId: string
  readonly hostName: string
  readonly hostConnected: boolean
  readonly connectionId: string
  /** Null: of no project, but of the host; so are the other words of the plane. */
  readonly projectId: string | null
  readonly storageId: string | null
  readonly storageName: string | null
  readonly provisioningStatus: ProvisioningStatus | null
  readonly operatingStatus: StorageOperatingStatus
  readonly fault: Fault | null
  readonly observedFault: Fault | null
  readonly observedAt: Date | null
  /** Since when it leads to this target. */
  readonly since: Date
  readonly connectedSince: Date | null
  readonly preexisting: boolean
  /** Of the plane's: a tombstone waits, it was asked to go. Of nobody's: it is being disconnected. */
  readonly leaving: boolean
}

const PLANES = `SELECT s.id, 'plane' AS origin, s.host_id, s.connection_id, s.project_id, s.storage_id, s.provisioning_status,
    s.operating_status, s.fault, s.observed_fault, s.observed_at, s.target_since, s.connected_since, s.preexisting,
    FALSE AS leaving
  FROM storage_connections s WHERE s.target_id = $1 AND ($2::uuid[] IS NULL OR s.project_id = ANY($2))`

const OWN = `SELECT o.id, CASE WHEN o.managed THEN 'host' ELSE 'nobody' END, o.host_id, o.connection_id, NULL, NULL, NULL,
    o.operating_status, NULL, o.observed_fault, o.observed_at, o.target_since, NULL, o.preexisting, o.leaving
  FROM own_storage_connections o WHERE o.target_id = $1 AND $2::uuid[] IS NULL`

/**
 * Plan: index lookups by the target in both tables.
 * @param projectIds of these projects alone; null: of all, and what hosts have of themselves
 */
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
    `SELECT s.id, s.origin, s.host_id AS "hostId", h.name AS "hostName", h.connected AS "hostConnected",
       s.connection_id AS "connectionId", s.project_id AS "projectId", s.storage_id AS "storageId", st.name AS "storageName",
       s.provisioning_status AS "provisioningStatus", s.operating_status AS "operatingStatus", s.fault,
       s.observed_fault AS "observedFault", s.observed_at AS "observedAt", s.target_since AS since,
       s.connected_since AS "connectedSince", s.preexisting,
       s.leaving OR s.origin = 'plane' AND EXISTS (
         SELECT FROM tombstones t WHERE t.host_id = s.host_id AND t.subject = 'storage-connection/' || s.connection_id
         AND t.state = 'waiting') AS leaving
     FROM (${PLANES} UNION ALL ${OWN}) s JOIN hosts h ON h.id = s.host_id LEFT JOIN storages st ON st.id = s.storage_id
     WHERE $3::uuid IS NULL OR (s.host_id, s.connection_id, s.origin) > ($3, $4::text, $5::text)
     ORDER BY s.host_id, s.connection_id, s.origin LIMIT $6`,
    [targetId, projectIds, after?.[0] ?? null, after?.[1] ?? null, after?.[2] ?? null, limit],
  )
