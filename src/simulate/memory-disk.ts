import { randomUUID } from 'node:crypto'
import { BalancingState } from '../agent/balancing/state.js'
import { GuestState } from '../agent/guests/state.js'
import type { HostStates } from '../agent/host-keepers.js'
import { Journal } from '../agent/journal.js'
import { type JournalRecord, JournalState } from '../agent/journal-record.js'
import { StorageState } from '../agent/storage/state.js'
import type { Disk } from './disk.js'
import type { Loss } from './fault-parameters.js'

interface Snapshot {
  readonly journal: readonly JournalRecord[]
  readonly states: HostStates
}

/**
 * A disk in this process's memory. Each opening works on a copy that becomes the disk: what a process that was killed
 * still writes goes nowhere.
 */
export class MemoryDisk implements Disk {
  private journal: JournalState
  private states: HostStates = emptyStates()
  private kept: Snapshot | null = null

  constructor(agentId: string) {
    this.journal = journalOf([{ t: 'agent', agentId }])
  }

  async openJournal(): Promise<Journal> {
    this.journal = journalOf(this.journal.snapshot())
    return new Journal(this.journal, noSink)
  }

  async openStates(): Promise<HostStates> {
    this.states = copyOf(this.states)
    return this.states
  }

  async snapshot(): Promise<void> {
    this.kept = { journal: this.journal.snapshot(), states: copyOf(this.states) }
  }

  async restore(): Promise<void> {
    if (this.kept === null) return this.lose(['journal', 'storage', 'balancing', 'guests'])
    this.journal = journalOf(this.kept.journal)
    this.states = copyOf(this.kept.states)
  }

  async lose(losses: readonly Loss[]): Promise<void> {
    const agentId = losses.includes('identity') ? randomUUID() : this.journal.agentId
    const kept = losses.includes('journal') ? [] : this.journal.snapshot()
    this.journal = journalOf([...kept, { t: 'agent', agentId }])
    const none = emptyStates()
    const lost = (['storage', 'balancing', 'guests'] as const).filter((area) => losses.includes(area))
    this.states = { ...this.states, ...Object.fromEntries(lost.map((area) => [area, none[area]])) }
  }
}

const emptyStates = (): HostStates => ({
  storage: StorageState.inMemory(),
  balancing: BalancingState.inMemory(),
  guests: GuestState.inMemory(),
})

const copyOf = ({ storage, balancing, guests }: HostStates): HostStates => ({
  storage: StorageState.inMemory(storage),
  balancing: BalancingState.inMemory(balancing),
  guests: GuestState.inMemory(guests),
})

const noSink = { append: async () => undefined, close: async () => undefined }

function journalOf(records: readonly JournalRecord[]): JournalState {
  const state = new JournalState()
  for (const record of records) state.apply(record)
  return state
}
