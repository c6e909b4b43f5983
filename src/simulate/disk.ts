import type { BalancingState } from '../agent/balancing/state.js'
import type { Journal } from '../agent/journal.js'
import type { StorageState } from '../agent/storage/state.js'
import type { Loss } from './fault-parameters.js'

/** What a simulated host keeps over the end of its agent's process. A process that was killed writes to it no more. */
export interface Disk {
  openJournal(): Promise<Journal>
  openStorage(): Promise<StorageState>
  openBalancing(): Promise<BalancingState>
  /** Keeps a copy of everything for `restore`. */
  snapshot(): Promise<void>
  restore(): Promise<void>
  lose(losses: readonly Loss[]): Promise<void>
}
