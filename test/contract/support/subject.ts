import type { Handlers } from '../../../src/agent/handlers.js'
import type { Journal } from '../../../src/agent/journal.js'
import type { StorageDrivers } from '../../../src/agent/storage/driver.js'
import type { StorageKeeper } from '../../../src/agent/storage/keeper.js'
import type { StorageState } from '../../../src/agent/storage/state.js'

/** A host under the contract, real or simulated: what an agent's process finds on it each time it starts. */
export interface StorageSubject {
  readonly drivers: StorageDrivers
  openJournal(): Promise<Journal>
  openStorage(): Promise<StorageState>
  handlersOf(keeper: StorageKeeper): Handlers
  /** Storage that works; another for each number. */
  uri(number: number): string
  /** The same target as `uri(number)`. */
  otherSpelling(number: number): string
  /** Storage that cannot be connected until `mend`. */
  readonly brokenUri: string
  readonly brokenFault: { readonly type: string; readonly number: number }
  mend(): Promise<void>
  /** How many targets of this host the kernel shows as connected; null for storage that is used where it is. */
  connected(): Promise<number | null>
  close(): Promise<void>
}

export type MakeSubject = () => Promise<StorageSubject>
