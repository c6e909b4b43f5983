import {
  type CommandKind,
  commandKinds,
  type PayloadOf,
  type ResultOf,
  subjectKey,
  subjectNoun,
} from '../wire/commands.js'
import type { BalancerKeeper } from './balancing/keeper.js'
import type { GuestKeeper } from './guests/keeper.js'
import type { StorageKeeper } from './storage/keeper.js'

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

/** What a host holds, by area. */
export interface Keepers {
  readonly storage: StorageKeeper
  readonly balancing: BalancerKeeper
  readonly guests: GuestKeeper
}

/** By the noun of the subject. Others are held by nobody: what is asked of them is not compared with anything. */
const generations: Readonly<Record<string, (keepers: Keepers, subject: string) => number | undefined>> = {
  [commandKinds['storage.manage'].noun]: ({ storage }, subject) => storage.heldGeneration(subject),
  [commandKinds['balancing.apply'].noun]: ({ balancing }, subject) => balancing.heldGeneration(subject),
  [commandKinds['guests.apply'].noun]: ({ guests }, subject) => guests.heldGeneration(subjectKey(subject)),
}

/** Generation of what the host holds under a subject, by its noun. */
export const heldGenerationOf =
  (keepers: Keepers) =>
  (subject: string): number | undefined =>
    generations[subjectNoun(subject)]?.(keepers, subject)

/** The agent on a page: what it does for each kind of command. */
export const createHandlers = ({ storage, balancing, guests }: Keepers): Handlers => ({
  'storage.manage': (payload, { generation }) => storage.manage(payload, generation),
  'storage.unmanage': (payload) => storage.unmanage(payload.connectionId),
  'storage.reset': (payload, { signal }) => storage.reset(payload.connectionId, signal),
  'balancing.apply': (payload, context) => balancing.apply(payload, context),
  'balancing.remove': (payload, context) => balancing.remove(payload, context),
  'balancing.check': (payload, context) => balancing.check(payload, context),
  'guests.ensureImage': (payload, context) => guests.ensureImage(payload, context),
  'guests.removeImage': (payload, context) => guests.removeImage(payload, context),
  'guests.ensureVolume': (payload, context) => guests.ensureVolume(payload, context),
  'guests.removeVolume': (payload, context) => guests.removeVolume(payload, context),
  'guests.ensureSeed': (payload, context) => guests.ensureSeed(payload, context),
  'guests.apply': (payload, context) => guests.apply(payload, context),
  'guests.reset': (payload, context) => guests.reset(payload, context),
  'guests.remove': (payload, context) => guests.remove(payload, context),
  'guests.ping': (payload, context) => guests.ping(payload, context),
  'guests.message': (payload, context) => guests.message(payload, context),
  'guests.snapshot': (payload, context) => guests.snapshot(payload, context),
  'guests.removeSnapshot': (payload, context) => guests.removeSnapshot(payload, context),
  'guests.readConsole': (payload) => guests.readConsole(payload),
})
