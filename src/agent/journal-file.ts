import { type FileHandle, open, rename } from 'node:fs/promises'
import { dirname } from 'node:path'
import { syncDirectory } from './host/write-file.js'
import { encodeLine } from './journal-line.js'
import type { JournalRecord } from './journal-record.js'
import type { Logger } from './logger.js'
import { Pause } from './pause.js'

/** Where a journal's records go. `append` resolves once the record can no longer be lost. */
export interface JournalSink {
  append(record: JournalRecord): Promise<void>
  close(): Promise<void>
}

export interface JournalFileOptions {
  readonly path: string
  readonly logger: Logger
  /** The fewest records that say the same as the file. */
  readonly snapshot: () => readonly JournalRecord[]
  /** The file is rewritten when it is longer than this, and twice as long as after the last time. */
  readonly compactAboveBytes?: number
  readonly retryMs?: number
}

interface Waiting {
  readonly record: JournalRecord
  readonly resolve: () => void
  readonly reject: (error: Error) => void
}

/**
 * Appends with group commit: whatever comes while the disk is busy shares the next fsync. A disk that refuses is asked
 * again until it takes the records, since nothing may be acted on that is not written down.
 */
export class JournalFile implements JournalSink {
  private waiting: Waiting[] = []
  private flushing: Promise<void> | null = null
  private lengthAfterRewrite = 0
  private mustRewrite = false
  private failing = false
  private closed = false
  private readonly pause = new Pause()

  private constructor(
    private readonly options: JournalFileOptions,
    private handle: FileHandle,
    private lengthBytes: number,
  ) {}

  /** Opens the file at a length that `decodeJournal` found good; what is behind it is cut off. */
  static async open(options: JournalFileOptions, goodBytes: number): Promise<JournalFile> {
    const handle = await open(options.path, 'a', 0o600)
    await handle.truncate(goodBytes)
    await handle.sync()
    await syncDirectory(dirname(options.path))
    return new JournalFile(options, handle, goodBytes)
  }

  append(record: JournalRecord): Promise<void> {
    if (this.closed) return Promise.reject(new Error('the journal is closed'))
    const written = new Promise<void>((resolve, reject) => this.waiting.push({ record, resolve, reject }))
    this.flushing ??= this.flush()
    return written
  }

  /** Writes what waits, unless the disk refuses, and closes the file. */
  async close(): Promise<void> {
    this.closed = true
    this.pause.wake()
    await this.flushing
    await this.handle.close()
  }

  private async flush(): Promise<void> {
    // One turn of the event loop, so that appends made together share the fsync.
    await new Promise((resolve) => setImmediate(resolve))
    while (this.waiting.length > 0) {
      const batch = this.waiting
      this.waiting = []
      try {
        await (this.needsRewrite() ? this.rewrite() : this.write(batch))
        this.failing = false
        for (const { resolve } of batch) resolve()
      } catch (error) {
        this.waiting = [...batch, ...this.waiting]
        if (!(await this.canRetry(error))) break
      }
    }
    this.flushing = null
  }

  private async write(batch: readonly Waiting[]): Promise<void> {
    const bytes = Buffer.from(batch.map(({ record }) => encodeLine(record, this.lengthBytes)).join(''))
    await this.handle.appendFile(bytes)
    await this.handle.datasync()
    this.lengthBytes += bytes.length
  }

  private needsRewrite(): boolean {
    const limit = Math.max(this.options.compactAboveBytes ?? 1_048_576, 2 * this.lengthAfterRewrite)
    return this.mustRewrite || this.lengthBytes > limit
  }

  /** The state is ahead of the file by what waits: a snapshot holds that too. */
  private async rewrite(): Promise<void> {
    const path = `${this.options.path}.new`
    const bytes = Buffer.from(
      this.options
        .snapshot()
        .map((record) => encodeLine(record, 0))
        .join(''),
    )
    const handle = await open(path, 'w', 0o600)
    try {
      await handle.writeFile(bytes)
      await handle.sync()
    } finally {
      await handle.close()
    }
    await rename(path, this.options.path)
    await syncDirectory(dirname(path))
    const appending = await open(this.options.path, 'a', 0o600)
    await this.handle.close().catch(() => undefined)
    this.handle = appending
    this.lengthBytes = bytes.length
    this.lengthAfterRewrite = bytes.length
    this.mustRewrite = false
  }

  /** After a failed write nobody knows what the file holds: it is written anew from what memory holds. */
  private async canRetry(error: unknown): Promise<boolean> {
    const cause = error as Error
    if (!this.failing)
      this.options.logger.error({ err: cause, path: this.options.path }, 'the journal cannot be written')
    this.failing = true
    this.mustRewrite = true
    if (!this.closed) await this.pause.wait(this.options.retryMs ?? 1000)
    if (!this.closed) return true
    for (const { reject } of this.waiting.splice(0)) reject(cause)
    return false
  }
}
