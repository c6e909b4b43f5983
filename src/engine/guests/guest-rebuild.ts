import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { EventDraft } from '../events/events.service.js'
import type { Tx } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import { GuestMessage } from './guest-message.entity.js'
import { type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestRemoval } from './guest-removal.js'
import { GuestSecrets } from './guest-secrets.js'
import { GuestWorkflow } from './guest-workflow.js'
import { Volume } from './volume.entity.js'

/** A guest that is made anew of its image, at its host and with its addresses: what was said to the one before is said again. */
@Injectable()
export class GuestRebuild {
  constructor(
    private readonly workflow: GuestWorkflow,
    private readonly removal: GuestRemoval,
    private readonly secrets: GuestSecrets,
  ) {}

  /** Whatever is under way is superseded, and what there is of it is let go of first. */
  async begin(tx: Tx, whole: WholeGuest): Promise<EventDraft[]> {
    const { guest, prepare } = whole
    await this.removal.endAll(tx, whole)
    const next: Guest = {
      ...guest,
      generation: guest.generation + 1,
      build: guest.build + 1,
      power: 'RUNNING',
      intentDigest: '',
      provisioningStatus: 'PENDING_UPDATE',
      pongBootId: null,
      pongAt: null,
    }
    await tx.query(
      `UPDATE guest_messages SET state = 'superseded', ended_at = now() WHERE guest_id = $1 AND ended_at IS NULL`,
      [guest.id],
    )
    if (prepare) await this.sayAgain(tx, prepare, next.build)
    return this.workflow.enter(tx, [{ whole: { ...whole, guest: next }, step: 'clear' }])
  }

  /** Its domain is gone: what was made of the image goes too, and is made again. */
  async goOn(tx: Tx, { guest, volumes }: WholeGuest): Promise<EventDraft[]> {
    const anew = volumes.filter(({ goesWithGuest, imageId }) => goesWithGuest && imageId !== null)
    await this.removal.removeVolumes(tx, anew)
    for (const { name, projectId, connectionId, hostId, format, sizeMib, imageId, position } of anew) {
      await tx.insert(Volume, {
        id: randomUUID(),
        ...{ name, projectId, connectionId, hostId, format, sizeMib, imageId, position },
        guestId: guest.id,
        goesWithGuest: true,
        provisioningStatus: 'PENDING_CREATE',
      })
    }
    // what never came to be is made now
    await tx.query(
      `UPDATE volumes SET provisioning_status = 'PENDING_CREATE', generation = generation + 1, fault = NULL, fault_at = NULL
       WHERE guest_id = $1 AND provisioning_status = 'ERROR'`,
      [guest.id],
    )
    const [whole] = await wholeGuests(tx, [guest.id])
    return whole ? this.workflow.enter(tx, [{ whole, step: 'storage' }]) : []
  }

  private async sayAgain(tx: Tx, message: GuestMessage, build: number): Promise<void> {
    const { guestId, projectId, kind, summary, runTimeoutMs } = message
    const id = randomUUID()
    const sealedTask = this.secrets.sealTask(id, this.secrets.taskOf(message))
    await tx.insert(GuestMessage, { id, guestId, projectId, kind, summary, runTimeoutMs, build, sealedTask })
  }
}
