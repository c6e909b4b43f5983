import { Injectable } from '@nestjs/common'
import {
  type StorageOperatingStatus,
  storageOperatingStatuses,
  storageSubject,
  subjectKey,
} from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type { InventoryItem } from '../../wire/session.js'
import { Settlement } from '../commands/settlement.js'
import type { EventDraft } from '../events/events.service.js'
import { type HostObservation, type Intent, type SubjectOwner, SubjectOwners } from '../hosts/subject-owners.js'
import { Quotas } from '../identity/quotas.js'
import { prepared, type Tx } from '../platform/database.js'
import { type User, UsersOf } from '../platform/users-of.js'
import { lockedRows, lockRow } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { connectionSubject, eventOf, toldColumns } from './storage-connection.events.js'
import { claimable, StorageConnections } from './storage-connections.service.js'
import { targetIdOf } from './storage-target.js'
import { textOf } from './told-connections.js'

interface IntentRow {
  connection_id: string
  uri: string
  options: Record<string, string>
  generation: number
  leaving: boolean
  failed: boolean
  under_way: boolean
}

interface ObservedRow {
  host_id: string
  project_id: string
  connection_id: string
  generation: number
  operating_status: string
}

/** Storage connections in the comparison of intent and fact, as users of their hosts and projects, and in quotas. */
@Injectable()
export class StorageSubjects implements SubjectOwner {
  constructor(
    owners: SubjectOwners,
    users: UsersOf,
    quotas: Quotas,
    private readonly connections: StorageConnections,
    private readonly settlement: Settlement,
  ) {
    owners.register('storage-connection', this)
    users.register('host', (tx, hostId) => usersBy(tx, 'host_id', hostId))
    users.register('project', (tx, projectId) => usersBy(tx, 'project_id', projectId))
    users.register('project', async (tx, projectId): Promise<User[]> => {
      const sql = 'SELECT id, name FROM storages WHERE project_id = $1 ORDER BY name LIMIT 1000'
      const rows: { id: string; name: string }[] = await tx.query(sql, [projectId])
      return rows.map((row) => ({ noun: 'storage', ...row }))
    })
    quotas.register('connections', async (tx, projectId) => {
      const sql = 'SELECT count(*)::int AS used FROM storage_connections WHERE project_id = $1'
      return (await tx.query(sql, [projectId]))[0].used
    })
  }

  async intents(tx: Tx, hostId: string): Promise<Intent[]> {
    const rows = await prepared<IntentRow>(
      tx,
      'storage_intents',
      `SELECT s.connection_id, s.uri, s.options, s.generation,
         s.provisioning_status = 'PENDING_DELETE' OR t.id IS NOT NULL AS leaving,
         s.provisioning_status = 'ERROR' AS failed,
         EXISTS (SELECT FROM commands c WHERE c.id = s.command_id AND c.finished_at IS NULL) AS under_way
       FROM storage_connections s
       LEFT JOIN tombstones t ON t.host_id = s.host_id AND t.subject = 'storage-connection/' || s.connection_id AND t.state = 'waiting'
       WHERE s.host_id = $1`,
      [hostId],
    )
    return rows.map((row) => ({
      subject: storageSubject(row.connection_id),
      generation: row.generation,
      digest: digestOf({ uri: row.uri, options: row.options }),
      leaving: row.leaving,
      failed: row.failed,
      underWay: row.under_way,
    }))
  }

  async assert(tx: Tx, hostId: string, key: string, above: number): Promise<void> {
    const row = await lockRow(tx, hostId, key, null)
    if (row && claimableForReconciliation(row)) await this.connections.manage(tx, row, pendingFor(row), above)
  }

  async remove(tx: Tx, hostId: string, key: string, generation: number): Promise<void> {
    const row = await lockRow(tx, hostId, key, null)
    if (!row) await this.connections.sendUnmanage(tx, { hostId, connectionId: key }, generation)
    else if (claimable(row, 'PENDING_DELETE')) await this.connections.unmanage(tx, row, generation)
  }

  /** Where it leads elsewhere than was known, what was seen was of that: the same inventory tells what is seen now. */
  async adopt(tx: Tx, hostId: string, { subject, generation, detail }: InventoryItem): Promise<EventDraft[]> {
    const target = textOf(detail?.target)
    const [rows] = await tx.query(
      `UPDATE storage_connections
       SET generation = $3, provisioning_status = 'ACTIVE', fault = NULL, fault_at = NULL, updated_at = now(),
         target = coalesce($4, target), target_id = coalesce($5, target_id),
         operating_status = CASE WHEN $4 <> target THEN 'UNKNOWN' ELSE operating_status END,
         connected_since = CASE WHEN $4 <> target THEN NULL ELSE connected_since END
       WHERE host_id = $1 AND connection_id = $2
         AND (generation < $3 OR (generation = $3 AND provisioning_status = 'ERROR'))
       RETURNING ${toldColumns('storage_connections')}`,
      [hostId, subjectKey(subject), generation, target, target && targetIdOf(hostId, target)],
    )
    return rows.map((row: StorageConnection) => eventOf('storage.connection.managed', row))
  }

  async dispute(tx: Tx, hostId: string, item: InventoryItem): Promise<EventDraft[]> {
    const message = `the host holds generation ${item.generation} of it, which says something else than the database: put it again to say what holds`
    const fault = { type: 'newer-on-host', message }
    const [rows] = await tx.query(
      `UPDATE storage_connections
       SET generation = $3, provisioning_status = 'ERROR', fault = $4, fault_at = now(), updated_at = now()
       WHERE host_id = $1 AND connection_id = $2 AND generation < $3
       RETURNING ${toldColumns('storage_connections')}`,
      [hostId, subjectKey(item.subject), item.generation, JSON.stringify(fault)],
    )
    return rows.map((row: StorageConnection) => eventOf('storage.connection.failed', row, { fault }))
  }

  /** What a silent host holds is not seen any more: the event that it was lost tells of it. */
  async unseen(tx: Tx, hostId: string): Promise<void> {
    await tx.query(
      `UPDATE storage_connections SET operating_status = 'UNKNOWN', observed_fault = NULL, observed_at = now(), connected_since = NULL
       WHERE host_id = $1 AND operating_status <> 'UNKNOWN'`,
      [hostId],
    )
  }

  /**
   * Before the host has taken on the first, an earlier generation was something else of the same id, perhaps another project's;
   * once it has taken on the latest, it is what was before a change.
   */
  async observe(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]> {
    const rows = await prepared<ObservedRow>(
      tx,
      'storage_observe',
      `WITH d AS (
         ${lockedRows(
           'status text, fault jsonb',
           `(s.operating_status <> d.status OR s.observed_fault IS DISTINCT FROM d.fault OR s.observed_generation < d.generation)
           AND (d.generation >= s.generation OR (s.target IS NOT NULL AND s.provisioning_status <> 'ACTIVE'))
           AND d.generation >= coalesce(s.observed_generation, 0)`,
         )})
       UPDATE storage_connections s
       SET operating_status = d.status, observed_fault = d.fault, observed_at = now(), observed_generation = d.generation,
         connected_since = CASE WHEN d.status IN ('UP', 'DEGRADED') THEN coalesce(s.connected_since, now()) END
       FROM d WHERE s.id = d.row_id
       RETURNING s.host_id, s.project_id, s.connection_id, s.generation, s.operating_status`,
      [JSON.stringify(latest(observations))],
    )
    return rows.map((row) => ({
      type: 'storage.connection.observed',
      subject: connectionSubject(row.host_id, row.connection_id),
      hostId: row.host_id,
      projectId: row.project_id,
      payload: { connectionId: row.connection_id, operatingStatus: row.operating_status },
    }))
  }

  async forget(tx: Tx, hostId: string, key: string): Promise<EventDraft[]> {
    const row = await lockRow(tx, hostId, key, null)
    if (!row) return []
    await tx.query('DELETE FROM storage_connections WHERE id = $1', [row.id])
    const fault = { type: 'forgotten', message: 'an administrator gave it up without the confirmation of the host' }
    if (row.commandId) await this.settlement.end(tx, row.commandId, fault, 'superseded')
    return [eventOf('storage.connection.forgotten', { ...row, provisioningStatus: 'DELETED' })]
  }
}

async function usersBy(tx: Tx, column: 'host_id' | 'project_id', id: string): Promise<User[]> {
  const rows: { connection_id: string }[] = await tx.query(
    `SELECT connection_id FROM storage_connections WHERE ${column} = $1 ORDER BY connection_id LIMIT 1000`,
    [id],
  )
  return rows.map((row) => ({ noun: 'storage-connection', id: row.connection_id, name: row.connection_id }))
}

/** A row in ERROR is claimed like anybody claims; one that is pending without a command under way has lost it. */
const claimableForReconciliation = (row: StorageConnection): boolean => row.provisioningStatus !== 'PENDING_DELETE'

const pendingFor = (row: StorageConnection) =>
  row.provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'

/** One row a subject: an UPDATE that meets a row twice takes either. */
function latest(observations: readonly HostObservation[]) {
  const bySubject = new Map(observations.map((o) => [`${o.hostId} ${o.subject}`, o]))
  return [...bySubject.values()].map((o) => ({
    host: o.hostId,
    id: subjectKey(o.subject),
    generation: o.generation,
    status: known(o.status),
    fault: o.fault ?? null,
  }))
}

/** A status that this engine does not know, of a newer agent, is no status to its clients. */
const known = (status: string): StorageOperatingStatus =>
  storageOperatingStatuses.find((each) => each === status) ?? 'UNKNOWN'
