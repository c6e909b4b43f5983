import { setTimeout as pause } from 'node:timers/promises'
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { insertUnchained } from './audit.queries.js'
import { type AuditDraft, byPlane } from './audit-drafts.js'
import { AuditFlood } from './audit-flood.js'
import { AuditWriter } from './audit-writer.js'

interface Kept {
  readonly draft: AuditDraft
  readonly atMs: number
}

const MAX_BATCH = 500
/** Some 10 MB: an outage of the database does not end in one of memory. */
const MAX_KEPT = 10_000
const RETRY_MS = 500
const FOLDED_MS = 10_000
const LAST_TRIES_MS = 3_000

/**
 * Rows of calls that changed nothing, on their way to the database: many in one statement, past the reply. They wait
 * through an outage. What does not fit any more is counted, and the count becomes a row.
 */
@Injectable()
export class AuditBacklog implements OnApplicationShutdown {
  private readonly log = new Logger(AuditBacklog.name)
  private kept: Kept[] = []
  private writing: Promise<void> | null = null
  private untold = 0
  private lostSoFar = 0
  private givenUpMs = Number.POSITIVE_INFINITY
  private readonly flood = new AuditFlood()
  private readonly timer = setInterval(() => this.tellFolded(), FOLDED_MS).unref()

  constructor(
    private readonly database: Database,
    private readonly writer: AuditWriter,
  ) {}

  /** Rows that could not be kept, since the start. */
  get lost(): number {
    return this.lostSoFar
  }

  /** Whether calls of this address are only counted. */
  isFlooded(address: string): boolean {
    return this.flood.isOver(address)
  }

  keep(draft: AuditDraft): void {
    if (this.flood.admits(draft)) this.add(draft)
  }

  /** Requests have ended before: nothing is added any more. */
  async onApplicationShutdown(): Promise<void> {
    clearInterval(this.timer)
    this.givenUpMs = performance.now() + LAST_TRIES_MS
    this.tellFolded()
    await this.writing
    if (this.kept.length > 0) this.log.error(`${this.kept.length} refused calls are not in the audit log`)
  }

  private add(draft: AuditDraft): void {
    if (this.kept.length < MAX_KEPT) this.kept.push({ draft, atMs: performance.now() })
    else this.lose(1)
    this.start()
  }

  private tellFolded(): void {
    for (const draft of this.flood.take()) this.add(draft)
  }

  private start(): void {
    this.writing ??= this.writeAll().finally(() => {
      this.writing = null
      // added after the last look
      if (this.kept.length > 0 && performance.now() < this.givenUpMs) this.start()
    })
  }

  private async writeAll(): Promise<void> {
    // what is refused together is written together
    await pause(0)
    while (this.kept.length > 0) {
      const batch = this.kept.splice(0, MAX_BATCH)
      try {
        await this.write(batch)
        if (this.kept.length === 0) await this.tellLost()
      } catch (error) {
        this.kept.unshift(...batch)
        if (performance.now() > this.givenUpMs) return
        this.log.debug({ err: error }, 'refused calls wait to be written to the audit log')
        await pause(RETRY_MS)
      }
    }
  }

  /** One bad row costs the others a second try each. @throws when the database is away */
  private async write(batch: readonly Kept[]): Promise<void> {
    try {
      const rows = batch.map(({ draft, atMs }) => ({ ...draft, ageMs: performance.now() - atMs }))
      await this.database.aside((tx) => insertUnchained(tx, rows))
      this.writer.ring()
    } catch (error) {
      if (isDatabaseOutage(error)) throw error
      this.log.error({ err: error }, 'a refused call cannot be written to the audit log')
      if (batch.length === 1) this.lose(1)
      else for (const one of batch) await this.write([one])
    }
  }

  private lose(count: number): void {
    this.lostSoFar += count
    this.untold += count
  }

  private async tellLost(): Promise<void> {
    const count = this.untold
    if (count === 0) return
    this.log.warn(`${count} refused calls are not in the audit log`)
    const path = `${count} refused calls were not written`
    await this.database.aside((tx) => insertUnchained(tx, [{ ...byPlane('audit.lost', path), ageMs: 0 }]))
    this.untold -= count
  }
}
