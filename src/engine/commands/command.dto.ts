import { type CommandKind, commandKinds } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { Filter, PageQuery } from '../platform/pages.js'
import type { Command } from './command.entity.js'
import { type CommandState, commandStates } from './commands.states.js'

const kinds = Object.keys(commandKinds) as CommandKind[]

export class CommandQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Commands to these hosts.' }) hostId?: string[]
  @Filter({ format: 'uuid', description: 'Commands for things of these projects.' }) projectId?: string[]
  @Filter({ enum: commandStates, description: 'Commands in one of these states.' }) state?: CommandState[]
  @Filter({ enum: kinds, description: 'Commands of these kinds.' }) kind?: CommandKind[]
  @Filter({ description: 'Commands about these subjects, `<noun>/<key>`.' }) subject?: string[]
}

export class CommandFaultView {
  /** @example mount-failed */
  type!: string
  /** @example mount: /srv/disk.img: wrong fs type, bad option, bad superblock */
  message!: string
  /** VDSM's number, where there is one. */
  number?: number
}

export class CommandView {
  /** @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  id!: string
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /**
   * Of the thing that it is for; null: it is the plane's own.
   * @example 3e1f0c52-8a4b-4d0e-9b7a-6f1d2c3b4a59
   */
  projectId!: string | null
  /**
   * Of its host: commands of one host are carried out in this order, subject by subject.
   * @example 17
   */
  seq!: number
  kind!: CommandKind
  /** @example storage-connection/FLOW101_a */
  subject!: string
  /**
   * Of the row that it is for.
   * @example 1
   */
  generation!: number
  state!: CommandState
  /**
   * How often it was sent.
   * @example 1
   */
  attempts!: number
  /** It had expired and succeeded all the same. */
  late!: boolean
  /** The command that stands for it, where a later one of its subject came before it had ended. */
  supersededBy!: string | null
  fault!: CommandFaultView | null
  /** Why its result could not be recorded as usual. */
  settleError!: string | null
  /** The request that caused it. */
  requestId!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  dispatchedAt!: string | null
  /** Null: it never expires. */
  deadlineAt!: string | null
  finishedAt!: string | null
}

export function viewCommand(c: Command): CommandView {
  return {
    id: c.id,
    hostId: c.hostId,
    projectId: c.projectId,
    seq: c.seq,
    kind: c.kind,
    subject: c.subject,
    generation: c.generation,
    state: c.state,
    attempts: c.attempts,
    late: c.late,
    supersededBy: c.supersededBy,
    fault: viewFault(c.fault),
    settleError: c.settleError,
    requestId: c.requestId,
    createdAt: c.createdAt.toISOString(),
    dispatchedAt: c.dispatchedAt?.toISOString() ?? null,
    deadlineAt: c.deadlineAt?.toISOString() ?? null,
    finishedAt: c.finishedAt?.toISOString() ?? null,
  }
}

const viewFault = (fault: Fault | null): CommandFaultView | null =>
  fault ? { type: fault.type, message: fault.message, number: fault.number } : null
