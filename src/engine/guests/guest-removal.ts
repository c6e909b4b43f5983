import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import {
  channelSubject,
  consoleSubject,
  guestImageSubject,
  guestSubject,
  volumeSubject,
} from '../../wire/guests/kinds.js'
import { Commands } from '../commands/commands.service.js'
import type { EventDraft } from '../events/events.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import type { Tx } from '../platform/database.js'
import { GUEST_NOUN, type Guest } from './guest.entity.js'
import { guestEvent } from './guest.events.js'
import { volumePlace } from './guest-intent.js'
import type { WholeGuest } from './guest-parts.js'
import { GuestPlacement } from './guest-placement.js'
import { GuestWorkflow } from './guest-workflow.js'
import { endQueues } from './guests.queries.js'
import { Volume } from './volume.entity.js'

/** The end of guests, at whatever step they are, and of what goes with them. */
@Injectable()
export class GuestRemoval {
  constructor(
    private readonly commands: Commands,
    private readonly workflow: GuestWorkflow,
    private readonly tombstones: Tombstones,
    private readonly addresses: NetworkAddresses,
    private readonly placement: GuestPlacement,
  ) {}

  /** Supersedes what is under way: the tombstone is the evidence for whatever happens to the host meanwhile. */
  async begin(tx: Tx, whole: WholeGuest, above = 0): Promise<EventDraft[]> {
    const { guest } = whole
    const generation = Math.max(guest.generation, above) + 1
    await this.endAll(tx, whole)
    await this.tombstones.raise(tx, guest.hostId, guestSubject(guest.id), generation)
    const leaving: Guest = { ...guest, generation, provisioningStatus: 'PENDING_DELETE' }
    await this.workflow.enter(tx, [{ whole: { ...whole, guest: leaving }, step: 'remove' }])
    return [guestEvent('guests.guest.deleting', { ...leaving, step: 'remove' })]
  }

  /** Nothing of it is asked of its host any more, in none of its queues (G1). */
  async endAll(tx: Tx, { guest, volumes }: WholeGuest): Promise<void> {
    const own = [guestSubject, guestImageSubject, channelSubject, consoleSubject].map((of) => of(guest.id))
    const made = volumes.filter(({ provisioningStatus }) => provisioningStatus === 'PENDING_CREATE')
    await endQueues(tx, guest.hostId, [...own, ...made.map(({ id }) => volumeSubject(id))])
  }

  /** Its host has none of it any more: what it had is free, and its volumes follow. */
  async finish(tx: Tx, { guest, volumes }: WholeGuest): Promise<EventDraft[]> {
    await this.placement.release(tx, [guest.id])
    await this.addresses.release(tx, { noun: GUEST_NOUN, id: guest.id })
    await this.removeVolumes(
      tx,
      volumes.filter(({ goesWithGuest }) => goesWithGuest),
    )
    const unmade = { type: 'volume-failed', message: 'its guest was removed before it was made' }
    await tx.query(
      `UPDATE volumes SET guest_id = NULL, position = NULL, updated_at = now(),
         provisioning_status = CASE WHEN provisioning_status = 'PENDING_CREATE' THEN 'ERROR' ELSE provisioning_status END,
         fault = CASE WHEN provisioning_status = 'PENDING_CREATE' THEN $2::jsonb ELSE fault END
       WHERE guest_id = $1`,
      [guest.id, JSON.stringify(unmade)],
    )
    await tx.query('DELETE FROM guests WHERE id = $1', [guest.id])
    return [guestEvent('guests.guest.deleted', { ...guest, provisioningStatus: 'DELETED', step: null })]
  }

  /** They belong to no guest from now on, and are gone once their hosts have confirmed. */
  async removeVolumes(tx: Tx, volumes: readonly Volume[]): Promise<void> {
    for (const volume of volumes) {
      const { hostId } = volume
      if (hostId === null) {
        await tx.delete(Volume, { id: volume.id })
        continue
      }
      const [commandId, generation] = [randomUUID(), volume.generation + 1]
      await endQueues(tx, hostId, [volumeSubject(volume.id)])
      await this.tombstones.raise(tx, hostId, volumeSubject(volume.id), generation)
      await tx.update(
        Volume,
        { id: volume.id },
        {
          guestId: null,
          position: null,
          generation,
          commandId,
          provisioningStatus: 'PENDING_DELETE',
          updatedAt: new Date(),
        },
      )
      await this.commands.enqueue(tx, {
        id: commandId,
        kind: 'guests.removeVolume',
        hostId,
        projectId: volume.projectId,
        subject: volumeSubject(volume.id),
        generation,
        payload: { volume: volumePlace(volume) },
      })
    }
  }
}
