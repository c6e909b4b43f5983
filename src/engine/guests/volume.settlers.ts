import { Injectable } from '@nestjs/common'
import { subjectKey } from '../../wire/commands.js'
import type { VolumeEnsured } from '../../wire/guests/commands.js'
import type { EndedCommand, Settler } from '../commands/settlers.js'
import type { EventDraft } from '../events/events.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { prepared, type Tx } from '../platform/database.js'
import { TOLD_VOLUME, type ToldVolume, volumeEvent } from './volume.events.js'

const records = (ended: readonly EndedCommand[]): string =>
  JSON.stringify(
    ended.map((c) => ({
      id: subjectKey(c.subject),
      generation: c.generation,
      ok: c.state === 'succeeded',
      size: (c.result as VolumeEnsured | null)?.sizeMiB ?? 0,
      fault: c.fault ?? { type: c.state, message: `the command ended ${c.state}` },
    })),
  )

const LOCKED = `d AS (
  SELECT d.* FROM (
    SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(id uuid, generation int, ok boolean, size int, fault jsonb) ORDER BY id) d
  CROSS JOIN LATERAL (SELECT id FROM volumes v WHERE v.id = d.id AND v.generation = d.generation FOR NO KEY UPDATE) v
  WHERE v.id = d.id)`

/** What volumes do when their hosts have answered: only those whose generation is the command's. */
@Injectable()
export class VolumeSettlers {
  constructor(private readonly tombstones: Tombstones) {}

  readonly removed: Settler = {
    settle: async (tx, ended) => {
      const gone = ended.filter(({ state }) => state === 'succeeded')
      const kept = ended.filter(({ state }) => state !== 'succeeded')
      return [...(await this.remove(tx, gone)), ...(await this.fail(tx, kept))]
    },
    giveUp: (tx, ended, reason) => this.fail(tx, [{ ...ended, fault: { type: 'unsettled', message: reason } }]),
  }

  /** One that has no more than was asked for is made; what cannot be shrunk is as large as it is. */
  async made(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const rows = await prepared<ToldVolume & Record<string, unknown>>(
      tx,
      'volumes_settle_made',
      `WITH ${LOCKED}
       UPDATE volumes v SET provisioning_status = CASE WHEN d.ok THEN 'ACTIVE' ELSE 'ERROR' END,
         size_mib = greatest(v.size_mib, d.size), fault = CASE WHEN d.ok THEN NULL ELSE d.fault END,
         fault_at = CASE WHEN d.ok THEN NULL ELSE now() END, updated_at = now()
       FROM d WHERE v.id = d.id AND v.provisioning_status IN ('PENDING_CREATE', 'PENDING_UPDATE', 'ERROR')
       RETURNING ${TOLD_VOLUME}`,
      [records(ended)],
    )
    return rows.map((row) =>
      volumeEvent(row.provisioningStatus === 'ACTIVE' ? 'guests.volume.made' : 'guests.volume.failed', row),
    )
  }

  private async remove(tx: Tx, gone: readonly EndedCommand[]): Promise<EventDraft[]> {
    if (gone.length === 0) return []
    const rows = await prepared<ToldVolume & Record<string, unknown>>(
      tx,
      'volumes_settle_removed',
      `WITH ${LOCKED}
       DELETE FROM volumes v USING d WHERE v.id = d.id AND v.provisioning_status IN ('PENDING_DELETE', 'ERROR')
       RETURNING ${TOLD_VOLUME}`,
      [records(gone)],
    )
    const confirmed = await this.tombstones.confirm(
      tx,
      gone.map(({ hostId, subject, generation }) => ({ hostId, subject, generation })),
    )
    return [
      ...rows.map((row) => volumeEvent('guests.volume.deleted', { ...row, provisioningStatus: 'DELETED' })),
      ...confirmed,
    ]
  }

  private async fail(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    if (ended.length === 0) return []
    const rows = await prepared<ToldVolume & Record<string, unknown>>(
      tx,
      'volumes_settle_failed',
      `WITH ${LOCKED}
       UPDATE volumes v SET provisioning_status = 'ERROR', fault = d.fault, fault_at = now(), updated_at = now()
       FROM d WHERE v.id = d.id AND v.provisioning_status LIKE 'PENDING%' RETURNING ${TOLD_VOLUME}`,
      [records(ended)],
    )
    return rows.map((row) => volumeEvent('guests.volume.failed', row))
  }
}
