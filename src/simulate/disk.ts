import type { HostStates } from '../agent/host-keepers.js'
import type { Journal } from '../agent/journal.js'
import type { Loss } from './fault-parameters.js'

/** What a simulated host keeps over the end of its agent's process. A process that was killed writes to it no more. */
export interface Disk {
  openJournal(): Promise<Journal>
  openStates(): Promise<HostStates>
  /** Keeps a copy of everything for `restore`. */
  snapshot(): Promise<void>
  restore(): Promise<void>
  lose(losses: readonly Loss[]): Promise<void>
}
