import { setTimeout as pause } from 'node:timers/promises'
import { Injectable, Logger } from '@nestjs/common'
import { EventFeed, type Start } from '../events/event-feed.js'
import type { EventType } from '../events/event-types.js'
import { Database } from '../platform/database.js'
import { columnsOf } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { connectionSubject } from './storage-connection.events.js'

export interface ConnectionKey {
  readonly hostId: string
  readonly connectionId: string
}

/** Told the row as it is after a change; null: it is there no more. */
type Listener = (row: StorageConnection | null) => void

interface Watched extends ConnectionKey {
  readonly listeners: Set<Listener>
}

const AGAIN_MS = 1_000

/** After which a connection may be what somebody waits for. */
const telling: readonly EventType[] = [
  'storage.connection.managed',
  'storage.connection.failed',
  'storage.connection.observed',
  'storage.connection.reset',
  'storage.connection.unmanaged',
  'storage.connection.forgotten',
]

/**
 * Tells of changes of single connections, on whichever replica they were made, by one reading of the event log for all who
 * listen here, and one look at the rows for all changes that were read together.
 */
@Injectable()
export class ConnectionChanges {
  private readonly log = new Logger(ConnectionChanges.name)
  private readonly watched = new Map<string, Watched>()
  private following: { readonly begun: Promise<void>; readonly ending: AbortController } | null = null

  constructor(
    private readonly feed: EventFeed,
    private readonly database: Database,
  ) {}

  /**
   * Whatever changes once this has resolved is told: look at the row then, and not before.
   * @returns what ends it
   */
  async listen(key: ConnectionKey, listener: Listener): Promise<() => void> {
    const subject = connectionSubject(key.hostId, key.connectionId)
    const watched = this.watched.get(subject) ?? { ...key, listeners: new Set() }
    watched.listeners.add(listener)
    this.watched.set(subject, watched)
    const end = () => this.leave(subject, watched, listener)
    try {
      this.following ??= this.follow()
      await this.following.begun
      return end
    } catch (error) {
      end()
      throw error
    }
  }

  private leave(subject: string, watched: Watched, listener: Listener): void {
    watched.listeners.delete(listener)
    if (watched.listeners.size === 0 && this.watched.get(subject) === watched) this.watched.delete(subject)
    if (this.watched.size === 0) this.stop()
  }

  private stop(): void {
    this.following?.ending.abort()
    this.following = null
  }

  private follow() {
    const ending = new AbortController()
    const started = this.feed.start(null, ending.signal)
    void this.run(started, ending.signal).catch(() => {
      // whoever listens is told by `begun`; the next one tries again
      if (!ending.signal.aborted) this.stop()
    })
    return { begun: started.then(() => undefined), ending }
  }

  /** Goes on after whatever breaks the reading off: who listens does so for as long as they wait. */
  private async run(started: Promise<Start | null>, signal: AbortSignal): Promise<void> {
    let start = await started
    while (start) {
      try {
        await this.read(start, signal)
      } catch (error) {
        if (signal.aborted) return
        this.log.warn({ err: error }, 'changes of connections cannot be followed: trying again')
      }
      start = await this.startAgain(signal)
    }
  }

  private async read(start: Start, signal: AbortSignal): Promise<void> {
    let { incarnation } = start
    for await (const look of this.feed.follow(start.cursor, { types: telling }, signal)) {
      const putBack = look.cursor.incarnation > incarnation
      incarnation = look.cursor.incarnation
      await this.tell(putBack ? this.watched.keys() : look.events.map((event) => event.subject))
    }
  }

  /** What changed meanwhile is in the rows. */
  private async startAgain(signal: AbortSignal): Promise<Start | null> {
    for (;;) {
      await pause(AGAIN_MS, undefined, { signal })
      try {
        const start = await this.feed.start(null, signal)
        await this.tell(this.watched.keys())
        return start
      } catch (error) {
        this.log.debug({ err: error }, 'changes of connections cannot be followed yet')
      }
    }
  }

  private async tell(subjects: Iterable<string>): Promise<void> {
    const changed = [...new Set(subjects)].flatMap((subject) => this.watched.get(subject) ?? [])
    if (changed.length === 0) return
    const rows = await this.database.query<StorageConnection>(
      'storage_changed',
      `SELECT s.* FROM unnest($1::uuid[], $2::text[]) AS w(host_id, connection_id) CROSS JOIN LATERAL (
         SELECT ${columnsOf('s')} FROM storage_connections s
         WHERE s.host_id = w.host_id AND s.connection_id = w.connection_id OFFSET 0) s`,
      [changed.map((one) => one.hostId), changed.map((one) => one.connectionId)],
    )
    const bySubject = new Map(rows.map((row) => [connectionSubject(row.hostId, row.connectionId), row]))
    for (const { hostId, connectionId, listeners } of changed) {
      const row = bySubject.get(connectionSubject(hostId, connectionId)) ?? null
      for (const listener of [...listeners]) listener(row)
    }
  }
}
