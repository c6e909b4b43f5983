import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { IsNull } from 'typeorm'
import type { MessageDone, Pong } from '../../wire/guests/commands.js'
import { Commands } from '../commands/commands.service.js'
import type { EndedCommand } from '../commands/settlers.js'
import type { Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import { GuestCommands } from './guest-commands.js'
import { layerFault, maySendAgain } from './guest-faults.js'
import type { GuestRun } from './guest-message.dto.js'
import { GuestMessage } from './guest-message.entity.js'
import {
  endStuckRuns,
  forgetOldRuns,
  lockRunsAwaiting,
  type MessageInTime,
  messageEnded,
  messagePinged,
  messageSent,
} from './guest-messages.queries.js'
import { type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestSecrets, summaryOf } from './guest-secrets.js'
import { taskOf } from './guest-task.dto.js'
import { GUEST_STEP_ENDED } from './guests.states.js'
import { isConnected } from './host-connected.js'

const RUN_MS = 600_000
/** A guest that is up answers at once. */
const ANSWER_MS = 30_000
const MOST_OPEN = 100
const MOST_KEPT = 1_000

/**
 * What is said to a guest that was made: a ping, and after its pong the message, each a command in the guest's own queue
 * (docs/adr/0057). The guest itself stays as it is, whatever comes of it.
 */
@Injectable()
export class GuestRuns {
  constructor(
    private readonly commands: Commands,
    private readonly orders: GuestCommands,
    private readonly secrets: GuestSecrets,
  ) {}

  /** Under the guest's lock. */
  async ask(tx: Tx, whole: WholeGuest, body: GuestRun): Promise<GuestMessage> {
    const { id: guestId, projectId, build } = whole.guest
    if (!whole.image.hasAgent) throw new Conflict(`guest ${whole.guest.name} is of an image without a guest agent`)
    const open = await tx.countBy(GuestMessage, { guestId, kind: 'run', endedAt: IsNull() })
    if (open >= MOST_OPEN)
      throw new Conflict(`guest ${whole.guest.name} has ${open} messages that have not ended`, 'pending')
    await forgetOldRuns(tx, guestId, MOST_KEPT)
    const [id, task] = [randomUUID(), taskOf(body)]
    await tx.insert(GuestMessage, {
      ...{ id, guestId, projectId, build, kind: 'run' as const },
      summary: summaryOf(task),
      sealedTask: this.secrets.sealTask(id, task),
      runTimeoutMs: body.runTimeoutMs ?? RUN_MS,
    })
    await this.ping(tx, whole, { id, leftMs: null })
    return tx.findOneByOrFail(GuestMessage, { id })
  }

  /** What messages do when their hosts have answered. */
  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<void> {
    const ids = ended.map(({ id }) => id)
    const waiting = await lockRunsAwaiting(tx, ids)
    if (waiting.size === 0) return
    const wholes = await wholeGuests(tx, [...new Set([...waiting.values()].map(({ guestId }) => guestId))])
    const byId = new Map(wholes.map((whole) => [whole.guest.id, whole]))
    for (const command of ended) {
      const message = waiting.get(command.id)
      const whole = byId.get(message?.guestId ?? '')
      if (message && whole) await this.goOn(tx, whole, message, command)
    }
  }

  freeStuck(tx: Tx): Promise<void> {
    return endStuckRuns(tx, GUEST_STEP_ENDED)
  }

  private async goOn(tx: Tx, whole: WholeGuest, message: MessageInTime, command: EndedCommand): Promise<void> {
    if (command.state !== 'succeeded') return this.failed(tx, whole, message, command)
    // validated by its class where it was received
    if (message.state === 'waiting') return this.send(tx, whole, message, command.result as Pong)
    const done = command.result as MessageDone
    const fault = done.exitCode === 0 ? null : { type: 'run-failed', message: `exit code ${done.exitCode}` }
    await messageEnded(tx, message.id, { state: fault ? 'failed' : 'succeeded', done, fault })
  }

  private async send(tx: Tx, whole: WholeGuest, message: MessageInTime, { bootId }: Pong): Promise<void> {
    const command = this.orders.messageOf(whole, message, bootId)
    await messageSent(tx, message.id, command.id, { pongBootId: bootId, pongAt: new Date() })
    await this.commands.enqueue(tx, command)
  }

  private async failed(tx: Tx, whole: WholeGuest, message: MessageInTime, command: EndedCommand): Promise<void> {
    if (message.state === 'sent' && maySendAgain(command, message)) return this.ping(tx, whole, message)
    const step = message.state === 'sent' ? 'prepare' : 'ping'
    const fault = layerFault(step, command, await isConnected(tx, command.hostId))
    const state = command.state === 'expired' ? 'expired' : 'failed'
    await messageEnded(tx, message.id, { state, done: null, fault })
  }

  private async ping(tx: Tx, whole: WholeGuest, message: Pick<MessageInTime, 'id' | 'leftMs'>): Promise<void> {
    const command = this.orders.pingOf(whole, Math.min(whole.guest.bootTimeoutMs, ANSWER_MS), message)
    await messagePinged(tx, message.id, command.id)
    await this.commands.enqueue(tx, command)
  }
}
