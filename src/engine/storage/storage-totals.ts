import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Tx } from '../platform/database.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import type { Storage } from './storage.entity.js'
import type { StorageRefusal } from './storage-refusal.entity.js'
import type { ShownStorage } from './storage-view.dto.js'
import type { Counts } from './storages.states.js'

const SHOWN_REFUSALS = 50

interface Group {
  storageId: string
  provisioning: ProvisioningStatus
  operating: StorageOperatingStatus
  count: number
}

type Refused = StorageRefusal & { readonly total: number }

/** How storages are doing, all of them by two statements. Plan: a range of ix_storage_connections_storage_id for each. */
export async function showStorages(tx: Tx, storages: readonly Storage[]): Promise<ShownStorage[]> {
  const ids = storages.map(({ id }) => id)
  if (ids.length === 0) return []
  const groups: Group[] = await tx.query(
    `SELECT storage_id AS "storageId", provisioning_status AS provisioning, operating_status AS operating, count(*)::int AS count
     FROM storage_connections WHERE storage_id = ANY($1::uuid[]) GROUP BY 1, 2, 3`,
    [ids],
  )
  const refusals: Refused[] = await tx.query(
    `SELECT r.* FROM unnest($1::uuid[]) AS s(id) CROSS JOIN LATERAL (
       SELECT storage_id AS "storageId", host_id AS "hostId", fault, refused_at AS "refusedAt", count(*) OVER ()::int AS total
       FROM storage_refusals WHERE storage_id = s.id ORDER BY host_id LIMIT $2) r`,
    [ids, SHOWN_REFUSALS],
  )
  return storages.map((storage) => {
    const own = groups.filter(({ storageId }) => storageId === storage.id)
    const refused = refusals.filter(({ storageId }) => storageId === storage.id)
    const totals = {
      provisioning: sums(own, ({ provisioning }) => provisioning),
      operating: sums(own, ({ operating }) => operating),
      refused: refused[0]?.total ?? 0,
    }
    return { storage, totals, refusals: refused }
  })
}

function sums<S extends string>(groups: readonly Group[], by: (group: Group) => S): Counts<S> {
  const counts: Counts<S> = {}
  for (const group of groups) counts[by(group)] = (counts[by(group)] ?? 0) + group.count
  return counts
}
