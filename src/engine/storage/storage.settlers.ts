import { Injectable } from '@nestjs/common'
import { type StorageManaged, subjectKey } from '../../wire/commands.js'
import { type EndedCommand, type Settler, Settlers } from '../commands/settlers.js'
import type { EventDraft } from '../events/events.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { prepared, type Tx } from '../platform/database.js'
import { lockedRows } from './storage.queries.js'
import { connectionSubject } from './storage-connection.events.js'
import { targetIdOf } from './storage-target.js'
import { StorageWakeups } from './storage-wakeups.js'

/** What the rows do when hosts have answered: only where the row's generation is the command's. */
@Injectable()
export class StorageSettlers {
  constructor(settlers: Settlers, tombstones: Tombstones, wakeups: StorageWakeups) {
    settlers.register('storage.manage', new Managed())
    settlers.register('storage.unmanage', new Unmanaged(tombstones, wakeups))
    settlers.register('storage.reset', new Reset())
  }
}

interface SettledRow {
  host_id: string
  project_id: string | null
  connection_id: string
  generation: number
}

const records = (ended: readonly EndedCommand[]): string =>
  JSON.stringify(
    ended.map((c) => ({
      host: c.hostId,
      id: subjectKey(c.subject),
      generation: c.generation,
      ok: c.state === 'succeeded',
      target: (c.result as StorageManaged | null)?.target ?? null,
      target_id: targetIdIn(c),
      fault: c.fault ?? { type: c.state, message: `the command ended ${c.state}` },
    })),
  )

function targetIdIn({ hostId, result }: EndedCommand): string | null {
  const target = (result as StorageManaged | null)?.target
  return target === undefined ? null : targetIdOf(hostId, target)
}

/** The rows behind the ended commands, generation for generation, as `d`. */
const settled = (statuses: string): string =>
  `WITH d AS (
     ${lockedRows(
       'ok boolean, target text, target_id text, fault jsonb',
       `s.generation = d.generation AND s.provisioning_status IN (${statuses})`,
     )})`

/** On another target than before, of which the host has told nothing yet: what was seen is of the one before. */
const UNSEEN = `d.ok AND d.target IS DISTINCT FROM s.target AND s.observed_generation < s.generation`

/** Nobody saw it there before the host told of it: reports and observations come in any order. */
const CONNECTED_SINCE = `CASE WHEN ${UNSEEN} THEN NULL
  WHEN d.ok AND d.target IS DISTINCT FROM s.target AND s.connected_since IS NOT NULL THEN s.observed_at
  ELSE s.connected_since END`

class Managed implements Settler {
  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const rows = await prepared<SettledRow & { provisioning_status: string }>(
      tx,
      'storage_settle_managed',
      `${settled(`'PENDING_CREATE', 'PENDING_UPDATE', 'ERROR'`)}
       UPDATE storage_connections s
       SET provisioning_status = CASE WHEN d.ok THEN 'ACTIVE' ELSE 'ERROR' END, target = coalesce(d.target, s.target),
         target_id = coalesce(d.target_id, s.target_id),
         target_since = CASE WHEN d.ok AND d.target IS DISTINCT FROM s.target THEN now() ELSE s.target_since END,
         fault = CASE WHEN d.ok THEN NULL ELSE d.fault END, fault_at = CASE WHEN d.ok THEN NULL ELSE now() END, updated_at = now(),
         preexisting = s.preexisting AND NOT (${UNSEEN}),
         operating_status = CASE WHEN ${UNSEEN} THEN 'UNKNOWN' ELSE s.operating_status END,
         observed_fault = CASE WHEN ${UNSEEN} THEN NULL ELSE s.observed_fault END,
         observed_at = CASE WHEN ${UNSEEN} THEN now() ELSE s.observed_at END,
         observed_generation = CASE WHEN ${UNSEEN} THEN s.generation ELSE s.observed_generation END,
         connected_since = ${CONNECTED_SINCE}
       FROM d WHERE s.id = d.row_id
       RETURNING s.host_id, s.project_id, s.connection_id, s.generation, s.provisioning_status`,
      [records(ended)],
    )
    return rows.map((row) =>
      draft(
        row.provisioning_status === 'ACTIVE' ? 'storage.connection.managed' : 'storage.connection.failed',
        row,
        row.provisioning_status,
      ),
    )
  }

  giveUp = markError
}

class Unmanaged implements Settler {
  constructor(
    private readonly tombstones: Tombstones,
    private readonly wakeups: StorageWakeups,
  ) {}

  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const gone = ended.filter((c) => c.state === 'succeeded')
    const failed = ended.filter((c) => c.state !== 'succeeded')
    return [...(await this.remove(tx, gone)), ...(await fail(tx, failed))]
  }

  giveUp = markError

  private async remove(tx: Tx, gone: readonly EndedCommand[]): Promise<EventDraft[]> {
    if (gone.length === 0) return []
    const rows = await prepared<SettledRow & { storage_id: string | null }>(
      tx,
      'storage_settle_unmanaged',
      `${settled(`'PENDING_DELETE', 'ERROR'`)}
       DELETE FROM storage_connections s USING d WHERE s.id = d.row_id
       RETURNING s.host_id, s.project_id, s.connection_id, s.generation, s.storage_id`,
      [records(gone)],
    )
    for (const { storage_id: storageId } of rows) if (storageId) this.wakeups.wake(tx, storageId)
    const confirmed = await this.tombstones.confirm(
      tx,
      gone.map((c) => ({ hostId: c.hostId, subject: c.subject, generation: c.generation })),
    )
    return [...rows.map((row) => draft('storage.connection.unmanaged', row, 'DELETED')), ...confirmed]
  }
}

/** The intent stands whether the reset went well or not: the command itself tells how it went. */
class Reset implements Settler {
  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const rows = await prepared<SettledRow & { ok: boolean; fault: object }>(
      tx,
      'storage_settle_reset',
      `${settled(`'PENDING_UPDATE'`)}
       UPDATE storage_connections s SET provisioning_status = 'ACTIVE', updated_at = now()
       FROM d WHERE s.id = d.row_id
       RETURNING s.host_id, s.project_id, s.connection_id, s.generation, d.ok, d.fault`,
      [records(ended)],
    )
    return rows.map((row) =>
      draft('storage.connection.reset', row, 'ACTIVE', row.ok ? { ok: true } : { ok: false, fault: row.fault }),
    )
  }

  giveUp = markError
}

async function fail(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
  if (ended.length === 0) return []
  const rows = await prepared<SettledRow>(
    tx,
    'storage_settle_failed',
    `${settled(`'PENDING_CREATE', 'PENDING_UPDATE', 'PENDING_DELETE'`)}
     UPDATE storage_connections s SET provisioning_status = 'ERROR', fault = d.fault, fault_at = now(), updated_at = now()
     FROM d WHERE s.id = d.row_id
     RETURNING s.host_id, s.project_id, s.connection_id, s.generation`,
    [records(ended)],
  )
  return rows.map((row) => draft('storage.connection.failed', row, 'ERROR'))
}

/** The plainest statement there is: the settler itself could not do it. */
async function markError(tx: Tx, ended: EndedCommand, reason: string): Promise<EventDraft[]> {
  const id = subjectKey(ended.subject)
  await tx.query(
    `UPDATE storage_connections SET provisioning_status = 'ERROR', fault = $4, fault_at = now(), updated_at = now()
     WHERE host_id = $1 AND connection_id = $2 AND generation = $3`,
    [ended.hostId, id, ended.generation, JSON.stringify({ type: 'unsettled', message: reason })],
  )
  return [
    draft(
      'storage.connection.failed',
      { host_id: ended.hostId, project_id: ended.projectId, connection_id: id, generation: ended.generation },
      'ERROR',
    ),
  ]
}

function draft(type: EventDraft['type'], row: SettledRow, provisioningStatus: string, more: object = {}): EventDraft {
  return {
    type,
    subject: connectionSubject(row.host_id, row.connection_id),
    hostId: row.host_id,
    projectId: row.project_id,
    payload: { connectionId: row.connection_id, generation: row.generation, provisioningStatus, ...more },
  }
}
