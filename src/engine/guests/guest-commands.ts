import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { CommandKind } from '../../wire/commands.js'
import { channelSubject, guestImageSubject, guestSubject, volumeSubject } from '../../wire/guests/kinds.js'
import type { NewCommand } from '../commands/commands.service.js'
import { guestIntent, hasSeed, imageIntent, seedOf, volumeIntent } from './guest-intent.js'
import type { MessageInTime } from './guest-messages.queries.js'
import type { WholeGuest } from './guest-parts.js'
import { GuestSecrets } from './guest-secrets.js'
import type { GuestStep } from './guests.states.js'
import type { Volume } from './volume.entity.js'

export type AnyCommand = { readonly [K in CommandKind]: NewCommand<K> & { readonly id: string } }[CommandKind]

type PingCommand = NewCommand<'guests.ping'> & { readonly id: string }
type MessageCommand = NewCommand<'guests.message'> & { readonly id: string }

/** Beyond what it may take in the guest, for the way there and back. */
const WAY_MS = 1_000
const POWER_MS = 60_000

/** The next volume that its host has to make. */
export const volumeToMake = ({ volumes }: WholeGuest): Volume | undefined =>
  volumes.find(({ provisioningStatus }) => provisioningStatus === 'PENDING_CREATE')

/** What the host is asked in each step. Null: there is nothing to do in it. */
@Injectable()
export class GuestCommands {
  constructor(private readonly secrets: GuestSecrets) {}

  of(step: GuestStep, whole: WholeGuest): AnyCommand | null {
    return this.byStep[step](whole)
  }

  private readonly byStep: Readonly<Record<GuestStep, (whole: WholeGuest) => AnyCommand | null>> = {
    storage: () => null,
    image: (whole) => ({
      ...this.to(whole),
      kind: 'guests.ensureImage',
      subject: guestImageSubject(whole.guest.id),
      payload: { image: imageIntent(whole.image) },
    }),
    volumes: (whole) => {
      const volume = volumeToMake(whole)
      if (!volume) return null
      return {
        ...this.to(whole),
        kind: 'guests.ensureVolume',
        subject: volumeSubject(volume.id),
        generation: volume.generation,
        payload: { volume: volumeIntent(volume, whole.image) },
      }
    },
    seed: (whole) => {
      if (!hasSeed(whole)) return null
      const userData = this.secrets.userDataOf(whole.guest)
      return {
        ...this.to(whole),
        kind: 'guests.ensureSeed',
        payload: seedOf(whole),
        ...(userData === null ? {} : { secrets: { userData } }),
      }
    },
    start: (whole) => this.apply(whole),
    ping: (whole) => this.ping(whole),
    prepare: (whole) => this.message(whole),
    power: (whole) => this.apply(whole),
    reset: (whole) => this.reset(whole, 'reset'),
    restart: (whole) => this.reset(whole, 'restart'),
    clear: (whole) => this.remove(whole),
    remove: (whole) => this.remove(whole),
  }

  private apply(whole: WholeGuest): AnyCommand {
    const { stopGraceMs } = whole.guest
    return {
      ...this.to(whole),
      kind: 'guests.apply',
      deadlineMs: POWER_MS + stopGraceMs,
      payload: { guest: guestIntent(whole) },
    }
  }

  private reset(whole: WholeGuest, how: 'reset' | 'restart'): AnyCommand {
    const { id, stopGraceMs } = whole.guest
    return {
      ...this.to(whole),
      kind: 'guests.reset',
      deadlineMs: POWER_MS + stopGraceMs,
      payload: { guestId: id, how },
    }
  }

  private remove(whole: WholeGuest): AnyCommand {
    return { ...this.to(whole), kind: 'guests.remove', payload: { guestId: whole.guest.id } }
  }

  private ping(whole: WholeGuest): AnyCommand | null {
    return whole.image.hasAgent ? this.pingOf(whole, whole.guest.bootTimeoutMs, whole.prepare) : null
  }

  private message(whole: WholeGuest): AnyCommand | null {
    const { guest, prepare } = whole
    if (!prepare || prepare.endedAt !== null || guest.pongBootId === null) return null
    return this.messageOf(whole, prepare, guest.pongBootId)
  }

  /** G2: only after a pong, whose boot it is for. */
  messageOf(whole: Pick<WholeGuest, 'guest'>, message: MessageInTime, bootId: string): MessageCommand {
    return {
      ...this.to(whole),
      kind: 'guests.message',
      subject: channelSubject(whole.guest.id),
      deadlineMs: message.leftMs === null ? message.runTimeoutMs + WAY_MS : Math.max(message.leftMs, 1),
      payload: {
        guestId: whole.guest.id,
        messageId: message.id,
        kind: message.kind,
        bootId,
        runTimeoutMs: message.runTimeoutMs,
      },
      secrets: { task: this.secrets.taskOf(message) },
    }
  }

  /** @param message that is to follow it */
  pingOf(whole: Pick<WholeGuest, 'guest'>, mostMs: number, message: Pick<MessageInTime, 'leftMs'> | null): PingCommand {
    const { id } = whole.guest
    const waitMs = Math.min(mostMs, message?.leftMs ?? mostMs)
    return {
      ...this.to(whole),
      kind: 'guests.ping',
      subject: channelSubject(id),
      deadlineMs: waitMs + WAY_MS,
      payload: { guestId: id, waitMs },
    }
  }

  private to({ guest }: Pick<WholeGuest, 'guest'>) {
    const { hostId, projectId, generation } = guest
    return { id: randomUUID(), hostId, projectId, generation, subject: guestSubject(guest.id) }
  }
}
