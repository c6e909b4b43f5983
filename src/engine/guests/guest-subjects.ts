import { Injectable } from '@nestjs/common'
import { subjectKey } from '../../wire/commands.js'
import { guestSubject } from '../../wire/guests/kinds.js'
import type { InventoryItem } from '../../wire/session.js'
import { Commands } from '../commands/commands.service.js'
import type { EventDraft } from '../events/events.service.js'
import { Events } from '../events/events.service.js'
import { type HostObservation, type Intent, type SubjectOwner, SubjectOwners } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'
import { GUEST_NOUN } from './guest.entity.js'
import { guestEvent, TOLD_GUEST, type ToldGuest } from './guest.events.js'
import { forgetSight, observeGuests } from './guest-observations.queries.js'
import { lockGuests, type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestRemoval } from './guest-removal.js'
import { GuestWorkflow } from './guest-workflow.js'
import type { GuestStep } from './guests.states.js'

interface IntentRow {
  id: string
  generation: number
  digest: string
  leaving: boolean
  failed: boolean
  under_way: boolean
}

/** Steps of a guest that was made: what its host holds may be held against what it was told. A build is its workflow's alone. */
const settledSteps: ReadonlySet<GuestStep | null> = new Set([null, 'power', 'reset', 'restart'])

/** Guests in the comparison of intent and fact. */
@Injectable()
export class GuestSubjects implements SubjectOwner {
  constructor(
    owners: SubjectOwners,
    private readonly commands: Commands,
    private readonly workflow: GuestWorkflow,
    private readonly removal: GuestRemoval,
    private readonly events: Events,
  ) {
    owners.register(GUEST_NOUN, this)
  }

  async intents(tx: Tx, hostId: string): Promise<Intent[]> {
    const rows = await prepared<IntentRow & Record<string, unknown>>(
      tx,
      'guests_intents',
      `SELECT g.id, g.generation, g.intent_digest AS digest,
         g.provisioning_status = 'PENDING_DELETE' OR t.id IS NOT NULL AS leaving,
         g.provisioning_status = 'ERROR' AS failed,
         EXISTS (SELECT FROM commands c WHERE c.id = g.command_id AND c.finished_at IS NULL) AS under_way
       FROM guests g
       LEFT JOIN tombstones t ON t.host_id = g.host_id AND t.subject = 'guest/' || g.id AND t.state = 'waiting'
       WHERE g.host_id = $1 ORDER BY g.id`,
      [hostId],
    )
    return rows.map(({ id, under_way: underWay, ...row }) => ({ ...row, underWay, subject: guestSubject(id) }))
  }

  async assert(tx: Tx, hostId: string, key: string, above: number): Promise<void> {
    const whole = await locked(tx, hostId, key)
    if (!whole || !settledSteps.has(whole.guest.step)) return
    const generation = Math.max(whole.guest.generation, above) + 1
    const guest = { ...whole.guest, generation, provisioningStatus: 'PENDING_UPDATE' as const }
    await this.events.append(tx, await this.workflow.enter(tx, [{ whole: { ...whole, guest }, step: 'power' }]))
  }

  async remove(tx: Tx, hostId: string, key: string, generation: number): Promise<void> {
    const whole = await locked(tx, hostId, key)
    if (whole) await this.events.append(tx, await this.removal.begin(tx, whole, generation))
    else
      await this.commands.enqueue(tx, {
        kind: 'guests.remove',
        hostId,
        subject: guestSubject(key),
        generation,
        payload: { guestId: key },
      })
  }

  async adopt(tx: Tx, hostId: string, { subject, generation }: InventoryItem): Promise<EventDraft[]> {
    const rows = await prepared<ToldGuest & Record<string, unknown>>(
      tx,
      'guests_adopt',
      `UPDATE guests g SET generation = $3, provisioning_status = 'ACTIVE', step = NULL, fault = NULL, fault_at = NULL, updated_at = now()
       WHERE g.host_id = $1 AND g.id = $2 AND (g.step IS NULL OR g.step IN ('power', 'reset', 'restart'))
         AND (g.generation < $3 OR (g.generation = $3 AND g.provisioning_status = 'ERROR'))
       RETURNING ${TOLD_GUEST}`,
      [hostId, subjectKey(subject), generation],
    )
    return rows.map((row) => guestEvent('guests.guest.active', row))
  }

  async dispute(tx: Tx, hostId: string, item: InventoryItem): Promise<EventDraft[]> {
    const message = `the host holds generation ${item.generation} of it, which says something else than the database: change or rebuild it to say what holds`
    const fault = { type: 'newer-on-host', message }
    const rows = await prepared<ToldGuest & Record<string, unknown>>(
      tx,
      'guests_dispute',
      `UPDATE guests g SET generation = $3, provisioning_status = 'ERROR', fault = $4, fault_at = now(), updated_at = now()
       WHERE g.host_id = $1 AND g.id = $2 AND g.generation < $3 RETURNING ${TOLD_GUEST}`,
      [hostId, subjectKey(item.subject), item.generation, JSON.stringify(fault)],
    )
    return rows.map((row) => guestEvent('guests.guest.failed', row, { fault }))
  }

  observe(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]> {
    return observeGuests(tx, observations)
  }

  unseen(tx: Tx, hostId: string): Promise<void> {
    return forgetSight(tx, hostId)
  }

  async forget(tx: Tx, hostId: string, key: string): Promise<EventDraft[]> {
    const whole = await locked(tx, hostId, key)
    if (!whole) return []
    await this.removal.endAll(tx, whole)
    await this.removal.finish(tx, whole)
    return [guestEvent('guests.guest.forgotten', { ...whole.guest, provisioningStatus: 'DELETED' })]
  }
}

/** Null: there is none, or it is to be elsewhere. */
async function locked(tx: Tx, hostId: string, id: string): Promise<WholeGuest | null> {
  if ((await lockGuests(tx, [id])).length === 0) return null
  const [whole] = await wholeGuests(tx, [id])
  return whole?.guest.hostId === hostId ? whole : null
}
