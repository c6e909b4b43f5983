import { Injectable } from '@nestjs/common'
import { volumeSubject } from '../../wire/guests/kinds.js'
import type { EventDraft } from '../events/events.service.js'
import { type Intent, type SubjectOwner, SubjectOwners } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'
import { GuestRemoval } from './guest-removal.js'
import { Volume } from './volume.entity.js'
import { volumeEvent } from './volume.events.js'

/**
 * Volumes lie on storage that several hosts may see, and hosts tell of none. What is to go is asked for again with each session
 * until it is confirmed; an administrator may give it up.
 */
@Injectable()
export class VolumeSubjects implements SubjectOwner {
  constructor(
    owners: SubjectOwners,
    private readonly removal: GuestRemoval,
  ) {
    owners.register('volume', this)
  }

  async intents(tx: Tx, hostId: string): Promise<Intent[]> {
    const rows = await prepared<{ id: string; generation: number; under_way: boolean }>(
      tx,
      'volumes_leaving',
      `SELECT v.id, v.generation,
         EXISTS (SELECT FROM commands c WHERE c.id = v.command_id AND c.finished_at IS NULL) AS under_way
       FROM volumes v JOIN tombstones t ON t.host_id = v.host_id AND t.subject = 'volume/' || v.id AND t.state = 'waiting'
       WHERE v.host_id = $1 AND v.provisioning_status IN ('PENDING_DELETE', 'ERROR') ORDER BY v.id`,
      [hostId],
    )
    return rows.map(({ id, generation, under_way: underWay }) => {
      return { subject: volumeSubject(id), generation, digest: '', leaving: true, failed: false, underWay }
    })
  }

  async remove(tx: Tx, hostId: string, key: string): Promise<void> {
    const row = await lockVolume(tx, hostId, key)
    if (row) await this.removal.removeVolumes(tx, [row])
  }

  async forget(tx: Tx, hostId: string, key: string): Promise<EventDraft[]> {
    const row = await lockVolume(tx, hostId, key)
    if (!row) return []
    await tx.delete(Volume, { id: row.id })
    return [volumeEvent('guests.volume.deleted', { ...row, provisioningStatus: 'DELETED' })]
  }

  async assert(): Promise<void> {}

  async adopt(): Promise<EventDraft[]> {
    return []
  }

  async dispute(): Promise<EventDraft[]> {
    return []
  }

  async observe(): Promise<EventDraft[]> {
    return []
  }

  async unseen(): Promise<void> {}
}

const lockVolume = (tx: Tx, hostId: string, id: string): Promise<Volume | null> =>
  tx.findOne(Volume, { where: { id, hostId }, lock: { mode: 'pessimistic_write' } })
