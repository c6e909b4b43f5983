import { randomUUID } from 'node:crypto'
import { BalancingState } from '../agent/balancing/state.js'
import { Journal } from '../agent/journal.js'
import { type JournalRecord, JournalState } from '../agent/journal-record.js'
import { StorageState } from '../agent/storage/state.js'
import type { Disk } from './disk.js'
import type { Loss } from './fault-parameters.js'

interface Snapshot {
  readonly journal: readonly JournalRecord[]
  readonly storage: StorageState
  readonly balancing: BalancingState
}

/**
 * A disk in this process's memory. Each opening works on a copy that becomes the disk: what a process that was killed
 * still writes goes nowhere.
 */
export class MemoryDisk implements Disk {
  private journal: JournalState
  private storage = StorageState.inMemory()
  private balancing = BalancingState.inMemory()
  private kept: Snapshot | null = null

  constructor(agentId: string) {
    this.journal = journalOf([{ t: 'agent', agentId }])
  }

  async openJournal(): Promise<Journal> {
    this.journal = journalOf(this.journal.snapshot())
    return new Journal(this.journal, noSink)
  }

  async openStorage(): Promise<StorageState> {
    this.storage = StorageState.inMemory(this.storage)
    return this.storage
  }

  async openBalancing(): Promise<BalancingState> {
    this.balancing = BalancingState.inMemory(this.balancing)
    return this.balancing
  }

  async snapshot(): Promise<void> {
    this.kept = {
      journal: this.journal.snapshot(),
      storage: StorageState.inMemory(this.storage),
      balancing: BalancingState.inMemory(this.balancing),
    }
  }

  async restore(): Promise<void> {
    if (this.kept === null) return this.lose(['journal', 'storage', 'balancing'])
    this.journal = journalOf(this.kept.journal)
    this.storage = StorageState.inMemory(this.kept.storage)
    this.balancing = BalancingState.inMemory(this.kept.balancing)
  }

  async lose(losses: readonly Loss[]): Promise<void> {
    const agentId = losses.includes('identity') ? randomUUID() : this.journal.agentId
    const kept = losses.includes('journal') ? [] : this.journal.snapshot()
    this.journal = journalOf([...kept, { t: 'agent', agentId }])
    if (losses.includes('storage')) this.storage = StorageState.inMemory()
    if (losses.includes('balancing')) this.balancing = BalancingState.inMemory()
  }
}

const noSink = { append: async () => undefined, close: async () => undefined }

function journalOf(records: readonly JournalRecord[]): JournalState {
  const state = new JournalState()
  for (const record of records) state.apply(record)
  return state
}
