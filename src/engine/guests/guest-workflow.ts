import { Injectable } from '@nestjs/common'
import { digestOf } from '../../wire/digest.js'
import { consoleSubject } from '../../wire/guests/kinds.js'
import type { Fault } from '../../wire/session.js'
import { Commands } from '../commands/commands.service.js'
import type { EventType } from '../events/event-types.js'
import type { EventDraft } from '../events/events.service.js'
import type { Tx } from '../platform/database.js'
import { storageReadiness } from '../storage/storage-readiness.js'
import type { Guest } from './guest.entity.js'
import { guestEvent } from './guest.events.js'
import { type AnyCommand, GuestCommands } from './guest-commands.js'
import { connectionsOf } from './guest-intent.js'
import { messagePinged, messageSent } from './guest-messages.queries.js'
import type { WholeGuest } from './guest-parts.js'
import { writeProgress } from './guests.queries.js'
import { type GuestStep, stepRules } from './guests.states.js'

/** A guest under its lock, and where it is to go on. */
export interface Move {
  readonly whole: WholeGuest
  readonly step: GuestStep
}

interface Taken {
  readonly guest: Guest
  readonly command: AnyCommand | null
  readonly event: EventType
}

const CONSOLE_CHARS = 4_000
/** From the step on in which it has a console. */
const withConsole: ReadonlySet<GuestStep | null> = new Set(['start', 'ping', 'prepare', 'power', 'reset', 'restart'])

/**
 * A guest's way from step to step (docs/adr/0056): the row that says where it is and the command that takes it on are written by
 * one transaction, which is that of the settler of the command before.
 */
@Injectable()
export class GuestWorkflow {
  constructor(
    private readonly commands: Commands,
    private readonly orders: GuestCommands,
  ) {}

  /** Takes guests into these steps, or past those in which there is nothing to do for them. */
  async enter(tx: Tx, moves: readonly Move[]): Promise<EventDraft[]> {
    const taken: Taken[] = []
    for (const move of moves) taken.push(await this.take(tx, move))
    // the rows know their commands before those are queued
    await writeProgress(
      tx,
      taken.map(({ guest }) => guest),
    )
    await this.commands.enqueueAll(
      tx,
      taken.flatMap(({ command }) => command ?? []),
    )
    return taken.map(({ guest, event }) => guestEvent(event, guest))
  }

  /** It stays in ERROR, at the step that failed, with the layer that is to blame and, soon, the end of its console. */
  async fail(tx: Tx, { guest }: WholeGuest, fault: Fault): Promise<EventDraft[]> {
    const failed: Guest = { ...guest, provisioningStatus: 'ERROR', stepDeadlineAt: null, fault }
    await writeProgress(tx, [failed])
    if (withConsole.has(guest.step)) {
      await this.commands.enqueue(tx, {
        kind: 'guests.readConsole',
        hostId: guest.hostId,
        projectId: guest.projectId,
        subject: consoleSubject(guest.id),
        generation: guest.generation,
        payload: { guestId: guest.id, chars: CONSOLE_CHARS },
      })
    }
    return [guestEvent('guests.guest.failed', failed, { fault })]
  }

  private async take(tx: Tx, { whole, step: first }: Move): Promise<Taken> {
    const { guest } = whole
    for (let step: GuestStep | null = first; step !== null; step = stepRules[step].next) {
      const command = this.orders.of(step, whole)
      if (command !== null) {
        const next = { ...guest, step, commandId: command.id, stepDeadlineAt: null, fault: null, ...digestIn(command) }
        await this.noteMessage(tx, whole, command)
        return { guest: next, command, event: 'guests.guest.progressed' }
      }
      if (step === 'storage' && !(await isStorageUp(tx, whole))) {
        const stepDeadlineAt = new Date(Date.now() + guest.bootTimeoutMs)
        const next = { ...guest, step, commandId: null, stepDeadlineAt, fault: null }
        return { guest: next, command: null, event: 'guests.guest.progressed' }
      }
    }
    const done: Guest = { ...guest, provisioningStatus: 'ACTIVE', step: null, stepDeadlineAt: null, fault: null }
    return { guest: done, command: null, event: 'guests.guest.active' }
  }

  private async noteMessage(tx: Tx, { guest, prepare }: WholeGuest, { kind, id }: AnyCommand): Promise<void> {
    if (!prepare) return
    if (kind === 'guests.ping') await messagePinged(tx, prepare.id, id)
    if (kind === 'guests.message') await messageSent(tx, prepare.id, id, guest)
  }
}

const digestIn = (command: AnyCommand): Pick<Guest, 'intentDigest'> | Record<never, never> =>
  command.kind === 'guests.apply' ? { intentDigest: digestOf(command.payload.guest) } : {}

export async function isStorageUp(tx: Tx, { guest, image, volumes }: WholeGuest): Promise<boolean> {
  const needs = { connectionIds: connectionsOf(image, volumes), projectIds: [guest.projectId] }
  const [readiness] = await storageReadiness(tx, [guest.hostId], needs)
  return readiness?.ready ?? false
}
