import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { prepared, type Tx } from '../platform/database.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** What something that is to run on a host needs to be up there (S12). A storage is needed by its `storage:<id>`. */
export interface StorageNeeds {
  readonly connectionIds: readonly string[]
  /** Connections of these projects alone count; null: of any. */
  readonly projectIds: readonly string[] | null
}

/**
 * `missing`: to be put there first, then awaited; `pending`: the host has not taken it on yet; `leaving`: it is being let go;
 * `failed`: the host could not take it on; `host-away`: nothing is seen of it, as its host has no session; `down`: it is not up.
 */
export const lacks = ['down', 'failed', 'host-away', 'leaving', 'missing', 'pending'] as const
export type Lack = (typeof lacks)[number]

export interface LackingConnection {
  readonly connectionId: string
  readonly reason: Lack
  readonly operatingStatus: StorageOperatingStatus | null
  /** Why, in the words of the host's tools. */
  readonly fault: Fault | null
}

export interface HostStorageReadiness {
  readonly hostId: string
  readonly ready: boolean
  readonly lacking: readonly LackingConnection[]
}

interface LackRow {
  readonly hostId: string
  readonly connectionId: string
  readonly provisioning: ProvisioningStatus | null
  readonly operating: StorageOperatingStatus | null
  readonly fault: Fault | null
  readonly hostConnected: boolean | null
}

/** Taken on as it was asked for last, and up. */
const UP = `s.provisioning_status = 'ACTIVE' AND s.operating_status IN ('UP', 'DEGRADED')`

/**
 * Whether all that is needed is up on each of these hosts, and why not; in one statement for all, in the order of `hostIds`.
 * What is placed after this looked may still find that it has gone: whoever starts something looks again on the host.
 */
export async function storageReadiness(
  tx: Tx,
  hostIds: readonly string[],
  { connectionIds, projectIds }: StorageNeeds,
): Promise<HostStorageReadiness[]> {
  const rows = await prepared<LackRow>(
    tx,
    'storage_lacking',
    `SELECT w.host_id AS "hostId", n.id AS "connectionId", s.provisioning_status AS provisioning, s.operating_status AS operating,
       coalesce(s.fault, s.observed_fault) AS fault, h.connected AS "hostConnected"
     FROM unnest($1::uuid[]) AS w(host_id) CROSS JOIN unnest($2::text[]) AS n(id)
     LEFT JOIN hosts h ON h.id = w.host_id
     LEFT JOIN storage_connections s
       ON s.host_id = w.host_id AND s.connection_id = n.id AND ($3::uuid[] IS NULL OR s.project_id = ANY($3))
     WHERE (${UP}) IS NOT TRUE ORDER BY n.id`,
    [[...new Set(hostIds)], [...new Set(connectionIds)], projectIds],
  )
  const byHost = new Map<string, LackingConnection[]>()
  for (const row of rows) byHost.set(row.hostId, [...(byHost.get(row.hostId) ?? []), lackOf(row)])
  return hostIds.map((hostId) => {
    const lacking = byHost.get(hostId) ?? []
    return { hostId, ready: lacking.length === 0, lacking }
  })
}

/** A page of hosts, by their ids, on which all of it is up, or not, or either. */
export async function hostsByReadiness(
  tx: Tx,
  { connectionIds, projectIds }: StorageNeeds,
  { after, ready, limit }: { readonly after: string | null; readonly ready: boolean | null; readonly limit: number },
): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'storage_hosts_by_readiness',
    `SELECT h.id FROM hosts h CROSS JOIN LATERAL (
       SELECT count(*) AS held, count(*) FILTER (WHERE ${UP}) AS up FROM storage_connections s
       WHERE s.host_id = h.id AND s.connection_id = ANY($1::text[]) AND ($2::uuid[] IS NULL OR s.project_id = ANY($2))) c
     WHERE ($3::uuid IS NULL OR h.id > $3) AND ($4::boolean IS NULL OR (c.up = cardinality($1::text[])) = $4)
       AND ($2::uuid[] IS NULL OR c.held > 0)
     ORDER BY h.id LIMIT $5`,
    [[...new Set(connectionIds)], projectIds, after, ready, limit],
  )
  return rows.map(({ id }) => id)
}

function lackOf({ connectionId, provisioning, operating, fault, hostConnected }: LackRow): LackingConnection {
  return { connectionId, reason: reasonOf(provisioning, hostConnected), operatingStatus: operating, fault }
}

function reasonOf(provisioning: ProvisioningStatus | null, hostConnected: boolean | null): Lack {
  if (provisioning === null) return 'missing'
  if (hostConnected === false) return 'host-away'
  return byProvisioning[provisioning]
}

const byProvisioning: Readonly<Record<ProvisioningStatus, Lack>> = {
  PENDING_CREATE: 'pending',
  PENDING_UPDATE: 'pending',
  PENDING_DELETE: 'leaving',
  DELETED: 'missing',
  ERROR: 'failed',
  ACTIVE: 'down',
}
