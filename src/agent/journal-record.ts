import type { Fault, ReportState } from '../wire/session.js'

/** How a command ended, as it is reported. */
export interface Outcome {
  readonly state: ReportState
  readonly result?: object
  readonly fault?: Fault
}

/** What is remembered of a command. Its payload is not: it comes again with the redelivery, and may hold secrets. */
export interface KnownCommand {
  readonly id: string
  readonly seq: number
  readonly kind: string
  readonly subject: string
  readonly generation: number
}

export type EntryState = 'received' | 'started' | 'done'

export interface JournalEntry extends KnownCommand {
  readonly state: EntryState
  /** Present when `done`. */
  readonly outcome?: Outcome
}

export type JournalRecord =
  | { readonly t: 'agent'; readonly agentId: string }
  | { readonly t: 'epoch'; readonly epoch: number }
  | { readonly t: 'seq'; readonly seq: number }
  | { readonly t: 'incarnation'; readonly incarnation: string }
  | { readonly t: 'floor'; readonly floor: number }
  | { readonly t: 'mark'; readonly subject: string; readonly seq: number }
  | { readonly t: 'received'; readonly command: KnownCommand }
  | { readonly t: 'started'; readonly id: string }
  | { readonly t: 'done'; readonly id: string; readonly outcome: Outcome }
  | { readonly t: 'forgotten'; readonly ids: readonly string[] }

/** What the records add up to. Pure: no file, no clock. */
export class JournalState {
  agentId = ''
  incarnation: string | null = null
  epoch = 0
  seq = 0
  floor = 0
  readonly marks = new Map<string, number>()
  readonly entries = new Map<string, JournalEntry>()

  apply(record: JournalRecord): void {
    switch (record.t) {
      case 'agent':
        this.agentId = record.agentId
        break
      case 'epoch':
        this.epoch = Math.max(this.epoch, record.epoch)
        break
      case 'seq':
        this.seq = Math.max(this.seq, record.seq)
        break
      case 'incarnation':
        this.incarnation = record.incarnation
        break
      case 'floor':
        this.raiseFloor(record.floor)
        break
      case 'mark':
        this.raiseMark(record.subject, record.seq)
        break
      case 'received':
        this.seq = Math.max(this.seq, record.command.seq)
        this.entries.set(record.command.id, { ...record.command, state: 'received' })
        break
      case 'started':
        this.change(record.id, (entry) => ({ ...entry, state: 'started' }))
        break
      case 'done':
        this.change(record.id, (entry) => ({ ...entry, state: 'done', outcome: record.outcome }))
        break
      case 'forgotten':
        for (const id of record.ids) this.entries.delete(id)
        break
    }
  }

  /** The fewest records that add up to this state. */
  snapshot(): JournalRecord[] {
    const records: JournalRecord[] = [
      { t: 'agent', agentId: this.agentId },
      { t: 'epoch', epoch: this.epoch },
      { t: 'seq', seq: this.seq },
      { t: 'floor', floor: this.floor },
    ]
    if (this.incarnation !== null) records.push({ t: 'incarnation', incarnation: this.incarnation })
    for (const [subject, seq] of this.marks) records.push({ t: 'mark', subject, seq })
    for (const { state, outcome, ...command } of this.entries.values()) {
      records.push({ t: 'received', command })
      if (state === 'started') records.push({ t: 'started', id: command.id })
      if (outcome !== undefined) records.push({ t: 'done', id: command.id, outcome })
    }
    return records
  }

  private raiseFloor(floor: number): void {
    if (floor <= this.floor) return
    this.floor = floor
    for (const [subject, seq] of this.marks) if (seq <= floor) this.marks.delete(subject)
  }

  private raiseMark(subject: string, seq: number): void {
    if (seq > this.floor && seq > (this.marks.get(subject) ?? 0)) this.marks.set(subject, seq)
  }

  private change(id: string, next: (entry: JournalEntry) => JournalEntry): void {
    const entry = this.entries.get(id)
    if (entry === undefined) return
    const changed = next(entry)
    this.entries.set(id, changed)
    if (changed.state === 'done') this.raiseMark(changed.subject, changed.seq)
  }
}
