import type { Fault } from '../wire/session.js'
import { clipped } from '../wire/text.js'

const MAX_MESSAGE_CHARS = 4000

/** A typed failure on the host: `type` is stable, `message` holds the tool's own words, `number` VDSM's code. */
export class FaultError extends Error {
  constructor(
    readonly type: string,
    message: string,
    readonly number?: number,
  ) {
    super(message)
    this.name = 'FaultError'
  }
}

/** What a thrown value says across the wire; what is not typed is `internal`. */
export function faultOf(error: unknown): Fault {
  if (error instanceof FaultError) return makeFault(error.type, error.message, error.number)
  return makeFault('internal', error instanceof Error ? error.message : String(error))
}

/** The same, with the time at which it was seen. */
export const datedFault = (fault: Fault | null, at: string | null): Fault | null =>
  fault === null || at === null ? fault : { ...fault, at }

/** Every fault is made here: tools say anything at any length, and what travels must fit the wire and can be stored. */
export function makeFault(type: string, message: string, number?: number): Fault {
  const words = clipped(message, MAX_MESSAGE_CHARS)
  return number === undefined ? { type, message: words } : { type, message: words, number }
}
