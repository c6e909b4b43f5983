import { type CommandKind, commandKinds, type PayloadOf, type ResultOf, subjectNoun } from '../wire/commands.js'
import type { BalancerKeeper } from './balancing/keeper.js'
import type { StorageKeeper } from './storage/keeper.js'

const BALANCER = commandKinds['balancing.apply'].noun

export interface HandlerContext {
  readonly commandId: string
  readonly subject: string
  readonly generation: number
  /** Fires when the command's deadline has passed, or when the agent stops for good. */
  readonly signal: AbortSignal
}

export type Handler<K extends CommandKind> = (payload: PayloadOf<K>, context: HandlerContext) => Promise<ResultOf<K>>

/** A kind without a handler does not compile. A handler throws `FaultError` for a typed failure. */
export type Handlers = { readonly [K in CommandKind]: Handler<K> }

/** Generation of what the host holds under a subject, by its noun. */
export const heldGenerationOf =
  (storage: StorageKeeper, balancing: BalancerKeeper) =>
  (subject: string): number | undefined =>
    subjectNoun(subject) === BALANCER ? balancing.heldGeneration(subject) : storage.heldGeneration(subject)

/** The agent on a page: what it does for each kind of command. */
export const createHandlers = (storage: StorageKeeper, balancing: BalancerKeeper): Handlers => ({
  'storage.manage': (payload, { generation }) => storage.manage(payload, generation),
  'storage.unmanage': (payload) => storage.unmanage(payload.connectionId),
  'storage.reset': (payload, { signal }) => storage.reset(payload.connectionId, signal),
  'balancing.apply': (payload, context) => balancing.apply(payload, context),
  'balancing.remove': (payload, context) => balancing.remove(payload, context),
  'balancing.check': (payload, context) => balancing.check(payload, context),
})
