import { randomUUID } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { JournalFile, type JournalFileOptions, type JournalSink } from './journal-file.js'
import { decodeJournal } from './journal-line.js'
import {
  type JournalEntry,
  type JournalRecord,
  JournalState,
  type KnownCommand,
  type Outcome,
} from './journal-record.js'
import type { Logger } from './logger.js'
import { StateDirectoryError } from './state-error.js'

export const journalPath = (stateDir: string): string => join(stateDir, 'journal')

/**
 * What an agent must not forget over a crash: who it is, what it has seen, which commands it knows and how far each
 * subject has come. Changes count at once in memory; the returned promise resolves when they are on disk.
 */
export class Journal {
  constructor(
    private readonly state: JournalState,
    private readonly sink: JournalSink,
  ) {}

  get agentId(): string {
    return this.state.agentId
  }

  /** Incarnation of the database that was last served; null at first. */
  get incarnation(): string | null {
    return this.state.incarnation
  }

  get epoch(): number {
    return this.state.epoch
  }

  /** Highest command sequence number that was ever seen. */
  get seq(): number {
    return this.state.seq
  }

  /** Every command up to this number has ended in the plane. */
  get floor(): number {
    return this.state.floor
  }

  get markCount(): number {
    return this.state.marks.size
  }

  entry(id: string): JournalEntry | undefined {
    return this.state.entries.get(id)
  }

  entries(): IterableIterator<JournalEntry> {
    return this.state.entries.values()
  }

  /** Highest sequence number carried out for the subject: what is not above it must not act any more. */
  markOf(subject: string): number {
    return Math.max(this.state.floor, this.state.marks.get(subject) ?? 0)
  }

  received(command: KnownCommand): Promise<void> {
    const { id, seq, kind, subject, generation } = command
    return this.write({ t: 'received', command: { id, seq, kind, subject, generation } })
  }

  started(id: string): Promise<void> {
    return this.write({ t: 'started', id })
  }

  done(id: string, outcome: Outcome): Promise<void> {
    return this.write({ t: 'done', id, outcome })
  }

  forgotten(ids: readonly string[]): Promise<void> {
    const known = ids.filter((id) => this.state.entries.has(id))
    return known.length === 0 ? Promise.resolve() : this.write({ t: 'forgotten', ids: known })
  }

  sawEpoch(epoch: number): Promise<void> {
    return epoch > this.state.epoch ? this.write({ t: 'epoch', epoch }) : Promise.resolve()
  }

  sawSeq(seq: number): Promise<void> {
    return seq > this.state.seq ? this.write({ t: 'seq', seq }) : Promise.resolve()
  }

  serves(incarnation: string): Promise<void> {
    return incarnation === this.state.incarnation ? Promise.resolve() : this.write({ t: 'incarnation', incarnation })
  }

  raiseFloor(floor: number): Promise<void> {
    return floor > this.state.floor ? this.write({ t: 'floor', floor }) : Promise.resolve()
  }

  close(): Promise<void> {
    return this.sink.close()
  }

  private write(record: JournalRecord): Promise<void> {
    this.state.apply(record)
    return this.sink.append(record)
  }
}

/** The same journal without a file, for simulated hosts. */
export function memoryJournal(agentId: string = randomUUID()): Journal {
  const state = new JournalState()
  state.apply({ t: 'agent', agentId })
  return new Journal(state, { append: async () => undefined, close: async () => undefined })
}

export type JournalOptions = Pick<JournalFileOptions, 'compactAboveBytes' | 'retryMs'>

/** @throws StateDirectoryError when something is damaged that was once on disk. */
export async function openJournal(stateDir: string, logger: Logger, options: JournalOptions = {}): Promise<Journal> {
  const path = journalPath(stateDir)
  const { state, goodBytes, torn } = await readJournal(stateDir)
  if (torn) logger.warn({ path, goodBytes }, 'the last write to the journal was cut short: dropped')
  const file = await JournalFile.open({ ...options, path, logger, snapshot: () => state.snapshot() }, goodBytes)
  if (state.agentId === '') {
    const record = { t: 'agent', agentId: randomUUID() } as const
    state.apply(record)
    await file.append(record)
  }
  return new Journal(state, file)
}

/** The journal as it lies on disk, touching nothing: also for a status without a running agent. */
export async function readJournal(
  stateDir: string,
): Promise<{ state: JournalState; goodBytes: number; torn: boolean }> {
  const path = journalPath(stateDir)
  const { records, goodBytes, torn, damagedAtByte } = decodeJournal(await readIfThere(path))
  if (damagedAtByte !== null) {
    throw new StateDirectoryError(
      `${path} is damaged at byte ${damagedAtByte}; without it this host cannot tell which commands it has carried out. ` +
        'Restore it, or move it away to join the plane as a new agent',
    )
  }
  const state = new JournalState()
  for (const record of records) state.apply(record)
  return { state, goodBytes, torn }
}

async function readIfThere(path: string): Promise<Buffer> {
  try {
    return await readFile(path)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return Buffer.alloc(0)
    throw new StateDirectoryError(`${path} cannot be read: ${(error as Error).message}`, { cause: error })
  }
}
