import { type CommandKind, commandKinds, isCommandKind } from '../wire/commands.js'
import type { CommandMessage } from '../wire/session.js'
import { parseWire, WireError } from '../wire/validate.js'
import type { Journal } from './journal.js'
import type { Outcome } from './journal-record.js'
import { expired, failed, superseded, unknownPermit } from './outcomes.js'

/** Either what is to be carried out, or what the command is answered with instead. */
export type Admission =
  | { readonly admitted: true; readonly kind: CommandKind; readonly payload: object }
  | { readonly admitted: false; readonly outcome: Outcome }

/** Decides about a command that has not ended and is not under way; `known`: it is in the journal already. */
export function admit(command: CommandMessage, journal: Journal, { known }: { readonly known: boolean }): Admission {
  if (!known && command.permitted) return refuse(unknownPermit)
  if (command.seq <= journal.markOf(command.subject)) {
    return refuse(superseded('this command, or a later one of its subject, has ended'))
  }
  if (!isCommandKind(command.kind)) return refuse(failed('unsupported', `this agent knows no command ${command.kind}`))
  try {
    const payload = parseWire<object>(commandKinds[command.kind].payload, command.payload)
    return { admitted: true, kind: command.kind, payload }
  } catch (error) {
    if (error instanceof WireError) return refuse(failed('bad-payload', error.message))
    throw error
  }
}

export interface Circumstances {
  /** Highest sequence number carried out for the command's subject. */
  readonly mark: number
  /** Generation of what the host holds under the subject; undefined when it holds nothing. */
  readonly held: number | undefined
  readonly remainingMs: number
}

/** What a command that waited for its turn is answered with instead of being started; null when it may start. */
export function reasonNotToStart(
  { seq, generation }: CommandMessage,
  { mark, held, remainingMs }: Circumstances,
): Outcome | null {
  if (seq <= mark) return superseded('the plane has ended this command')
  if (held !== undefined && held > generation) return superseded(`the host holds generation ${held}`)
  return remainingMs <= 0 ? expired : null
}

const refuse = (outcome: Outcome): Admission => ({ admitted: false, outcome })
