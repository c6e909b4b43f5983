import { Injectable, Logger } from '@nestjs/common'
import { EventFeed } from '../events/event-feed.js'
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
    const begun = started.then(() => undefined)
    void this.run(started, ending.signal).catch((error: unknown) => {
      if (ending.signal.aborted) return
      this.log.warn({ err: error }, 'changes of connections cannot be followed')
      // whoever listens looks for itself once more, and listens no longer
      this.stop()
      this.giveUp()
    })
    return { begun, ending }
  }

  private async run(started: ReturnType<EventFeed['start']>, signal: AbortSignal): Promise<void> {
    const start = await started
    if (!start) return
    let { incarnation } = start
    for await (const look of this.feed.follow(start.cursor, { types: telling }, signal)) {
      const putBack = look.cursor.incarnation > incarnation
      incarnation = look.cursor.incarnation
      const subjects = putBack ? [...this.watched.keys()] : look.events.map((event) => event.subject)
      await this.tell(new Set(subjects))
    }
  }

  private async tell(subjects: ReadonlySet<string>): Promise<void> {
    const changed = [...subjects].flatMap((subject) => this.watched.get(subject) ?? [])
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

  private giveUp(): void {
    for (const { listeners } of [...this.watched.values()]) for (const listener of [...listeners]) listener(null)
  }
}
