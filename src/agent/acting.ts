import type { CommandKind, PayloadOf } from '../wire/commands.js'
import { FaultError, faultOf } from './fault.js'
import type { HandlerContext, Handlers } from './handlers.js'
import type { Outcome } from './journal-record.js'
import { pastDeadline } from './outcomes.js'

/** Why a handler is aborted when it is not for its deadline. */
export const agentStops = Symbol('the agent stops')

const MAX_TIMER_MS = 2_147_483_647

export interface Act {
  readonly kind: CommandKind
  readonly payload: object
  readonly context: HandlerContext
  /** A handler threw what is no `FaultError`. */
  readonly onBroken: (error: unknown) => void
}

/** Never rejects: what a handler throws is how the command ended. */
export async function act(handlers: Handlers, { kind, payload, context, onBroken }: Act): Promise<Outcome> {
  try {
    return { state: 'succeeded', result: await call(handlers, kind, payload, context) }
  } catch (error) {
    if (!(error instanceof FaultError)) onBroken(error)
    return { state: 'failed', fault: faultOf(error) }
  }
}

function call<K extends CommandKind>(
  handlers: Handlers,
  kind: K,
  payload: object,
  context: HandlerContext,
): Promise<object> {
  // The payload was parsed by the class of this very kind.
  return handlers[kind](payload as PayloadOf<K>, context)
}

/**
 * Aborts what takes longer than it may. @returns null when the agent stops before the handler has ended: then nothing is
 * known, and nothing is said.
 */
export async function withDeadline(
  handled: Promise<Outcome>,
  remainingMs: number,
  abort: AbortController,
): Promise<Outcome | null> {
  const timer = Number.isFinite(remainingMs)
    ? setTimeout(() => abort.abort(), Math.min(remainingMs, MAX_TIMER_MS))
    : null
  const { signal } = abort
  const aborted = new Promise<Outcome>((resolve) => {
    signal.addEventListener('abort', () => resolve(pastDeadline), { once: true })
  })
  try {
    const outcome = await Promise.race([handled, aborted])
    if (!signal.aborted || outcome.state === 'succeeded') return outcome
    return signal.reason === agentStops ? null : pastDeadline
  } finally {
    if (timer !== null) clearTimeout(timer)
  }
}
