import { IsInt, Max, Min } from 'class-validator'
import type { MessageKind } from '../../wire/guests/commands.js'
import { MayBeLeftOut } from '../platform/left-out.js'
import { PageQuery } from '../platform/pages.js'
import { FaultView, viewFault } from '../storage/storage-connection.dto.js'
import type { GuestMessage } from './guest-message.entity.js'
import { GuestTaskInput } from './guest-task.dto.js'
import type { DeliveryState } from './guests.states.js'

/** What is said to a guest: done in it once, in the boot that it is in, or not at all. */
export class GuestRun extends GuestTaskInput {
  /**
   * For what it says. Left out: 600000.
   * @example 600000
   */
  @MayBeLeftOut()
  @IsInt()
  @Min(1_000)
  @Max(3_600_000)
  runTimeoutMs?: number
}

export class GuestMessageQuery extends PageQuery {}

/** What it was told to do: names alone. */
export class TaskSummaryView {
  /** @example ["deploy"] */
  users!: string[]
  /** @example ["nginx"] */
  packages!: string[]
  /** @example ["/etc/motd"] */
  files!: string[]
  /** @example 1 */
  commands!: number
}

export class GuestMessageView {
  /** @example 1a2b3c4d-5e6f-4a7b-8c9d-0e1f2a3b4c5d */
  id!: string
  /** @example 4d3c2b1a-0f9e-4d8c-8b7a-6f5e4d3c2b1a */
  guestId!: string
  kind!: MessageKind
  /**
   * How often the guest had been built when it was said: it is for that build alone.
   * @example 1
   */
  build!: number
  summary!: TaskSummaryView
  /** `queued` until the guest has answered a ping; `delivered` to its host; `running` once it may have begun. */
  state!: DeliveryState
  /** What is being waited for; null: nothing. */
  waitingFor!: string | null
  /**
   * Pings that were sent for it.
   * @example 1
   */
  pings!: number
  /** Of the pong that it follows. */
  bootId!: string | null
  pongAt!: string | null
  /** @example 0 */
  exitCode!: number | null
  /** The end of what it wrote. */
  output!: string | null
  fault!: FaultView | null
  /** @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  commandId!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  endedAt!: string | null
}

/** A message with how far its command has come. */
export interface ShownMessage {
  readonly message: GuestMessage
  readonly commandState: string | null
  readonly pingState: string | null
}

export const viewMessage = (shown: ShownMessage): GuestMessageView => {
  const { message } = shown
  return {
    id: message.id,
    guestId: message.guestId,
    kind: message.kind,
    build: message.build,
    summary: {
      users: [...message.summary.users],
      packages: [...message.summary.packages],
      files: [...message.summary.files],
      commands: message.summary.commands,
    },
    state: stateOf(shown),
    waitingFor: waitingFor(shown),
    pings: message.pings,
    bootId: message.bootId,
    pongAt: message.pongAt?.toISOString() ?? null,
    exitCode: message.exitCode,
    output: message.output,
    fault: viewFault(message.fault, message.endedAt),
    commandId: message.commandId,
    createdAt: message.createdAt.toISOString(),
    endedAt: message.endedAt?.toISOString() ?? null,
  }
}

function stateOf({ message, commandState }: ShownMessage): DeliveryState {
  const { state } = message
  if (state === 'waiting' || commandState === 'queued') return 'queued'
  if (state !== 'sent') return state === 'superseded' ? 'failed' : state
  return commandState === 'running' ? 'running' : 'delivered'
}

function waitingFor({ message, commandState, pingState }: ShownMessage): string | null {
  if (message.endedAt !== null) return null
  if (message.state === 'sent') return commandState === 'queued' ? 'its host' : 'its end in the guest'
  if (message.pingCommandId === null) return 'the start of the guest'
  return pingState === 'queued' ? 'its host' : 'an answer of the guest to a ping'
}
