import { Injectable, type OnApplicationBootstrap } from '@nestjs/common'
import { type CommandKind, commandKinds } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import type { EventDraft } from '../events/events.service.js'
import type { Tx } from '../platform/database.js'
import type { EndState } from './commands.states.js'

/** A command that has just ended, as its module's settler sees it. */
export interface EndedCommand {
  readonly id: string
  readonly hostId: string
  /** Of the thing that it was for; null: the plane's own. */
  readonly projectId: string | null
  readonly kind: CommandKind
  readonly subject: string
  readonly generation: number
  readonly payload: object
  readonly state: EndState
  readonly result: object | null
  readonly fault: Fault | null
  /** It had expired before: the row may be in ERROR already. */
  readonly late: boolean
}

/**
 * What a module's rows do when a command of one kind has ended. Moves only rows whose generation is the command's.
 * Set-based: called with every command of the kind that one batch of reports has ended.
 */
export interface Settler {
  settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]>
  /** `settle` threw: mark the row ERROR by the plainest statement there is, so that it does not stay PENDING. */
  giveUp(tx: Tx, ended: EndedCommand, reason: string): Promise<EventDraft[]>
}

/** Modules to the right register what commands, which knows none of them, calls. */
@Injectable()
export class Settlers implements OnApplicationBootstrap {
  private readonly byKind = new Map<CommandKind, Settler>()

  register(kind: CommandKind, settler: Settler): void {
    if (this.byKind.has(kind)) throw new Error(`${kind} has two settlers`)
    this.byKind.set(kind, settler)
  }

  of(kind: CommandKind): Settler {
    const settler = this.byKind.get(kind)
    if (!settler) throw new Error(`${kind} has no settler`)
    return settler
  }

  onApplicationBootstrap(): void {
    for (const kind of Object.keys(commandKinds) as CommandKind[]) this.of(kind)
  }
}
