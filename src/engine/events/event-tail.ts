import { EventEmitter, once } from 'node:events'
import { setTimeout as pause } from 'node:timers/promises'
import { Injectable, Logger, type OnApplicationShutdown, type OnModuleInit } from '@nestjs/common'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { Notifications } from '../platform/notifications.js'
import { compareCursors, type EventCursor } from './event-cursor.js'
import { type EventFilter, EventLog, type LoggedEvent, type Look } from './event-log.js'
import { EVENTS_CHANNEL } from './events.service.js'

const POLL_MS = 1_000
const PAGE = 200
export const LOOK_MS = 50
/** A new event may wait for a transaction that is still open: so many looks, and then the poll. */
const LOOKS_FOR_NEWS = 5

interface TailPage extends Look {
  /** The page is all that follows this. */
  readonly from: EventCursor
}

/**
 * The end of the log, read once for all readers that have caught up, however many they are. It keeps one page: who needs
 * an earlier one reads for itself.
 */
@Injectable()
export class EventTail implements OnModuleInit, OnApplicationShutdown {
  private readonly logger = new Logger(EventTail.name)
  private readonly bell = new EventEmitter().setMaxListeners(0)
  private readonly timer = setInterval(() => this.poll(), POLL_MS).unref()
  private page: TailPage | null = null
  private looksDue = 0
  private looking = false

  constructor(
    private readonly log: EventLog,
    private readonly notifications: Notifications,
  ) {}

  onModuleInit(): void {
    this.notifications.listen(EVENTS_CHANNEL, () => this.ring(LOOKS_FOR_NEWS))
  }

  onApplicationShutdown(): void {
    clearInterval(this.timer)
  }

  covers(cursor: EventCursor): boolean {
    return this.page !== null && compareCursors(cursor, this.page.from) >= 0
  }

  /** What follows the cursor; null where there is nothing new, or where the page does not reach back so far. */
  after(cursor: EventCursor, filter: EventFilter): Look | null {
    if (!this.page || !this.covers(cursor) || compareCursors(cursor, this.page.cursor) >= 0) return null
    const events = this.page.events.filter(
      (event) => compareCursors(event.cursor, cursor) > 0 && matches(event, filter),
    )
    return { ...this.page, events }
  }

  /**
   * Resolves when there may be something new, after a second at most, or when the reader has gone.
   * @param cursor of a reader that has seen all that there is: where nobody else waits, the tail begins there
   */
  async moved(signal: AbortSignal, cursor?: EventCursor): Promise<void> {
    if (cursor && !this.wanted && !this.reaches(cursor)) this.page = { from: cursor, cursor, events: [], more: false }
    const moved = once(this.bell, 'moved', { signal }).catch(() => undefined)
    this.ring(0)
    await moved
  }

  private reaches(cursor: EventCursor): boolean {
    return this.page !== null && compareCursors(cursor, this.page.cursor) <= 0
  }

  private get wanted(): boolean {
    return this.bell.listenerCount('moved') > 0
  }

  private poll(): void {
    this.ring(1)
    this.bell.emit('moved')
  }

  private ring(looks: number): void {
    this.looksDue = Math.max(this.looksDue, looks)
    if (!this.looking) void this.follow()
  }

  /** No faster than the fastest of those who wait. */
  private async follow(): Promise<void> {
    this.looking = true
    try {
      while (this.looksDue > 0 && this.wanted) {
        this.looksDue--
        if (await this.look()) this.looksDue++
        else await pause(LOOK_MS, undefined, { ref: false })
      }
    } catch (error) {
      this.looksDue = 0
      this.giveUp(error)
    } finally {
      this.looking = false
    }
  }

  /** @returns whether there is more to be read at once */
  private async look(): Promise<boolean> {
    const { page } = this
    if (!page) return false
    const look = await this.log.look(page.cursor, PAGE)
    // it may have begun anew meanwhile
    if (look.cursor === page.cursor || this.page !== page) return false
    this.page = { ...look, from: page.cursor }
    this.bell.emit('moved')
    return look.more
  }

  /** An outage is waited out; after any other fault each reader looks for itself, and meets it or not. */
  private giveUp(error: unknown): void {
    if (isDatabaseOutage(error)) {
      this.logger.debug({ err: error }, 'events cannot be read: trying again')
      return
    }
    this.logger.warn({ err: error }, 'the end of the event log cannot be read')
    this.page = null
    this.bell.emit('moved')
  }
}

function matches(event: LoggedEvent, { types, subject, hostIds, projectIds }: EventFilter): boolean {
  return (
    (types?.includes(event.type) ?? true) &&
    (subject === undefined || event.subject === subject) &&
    isAmong(event.hostId, hostIds) &&
    isAmong(event.projectId, projectIds)
  )
}

const isAmong = (id: string | null, ids: readonly string[] | undefined): boolean =>
  ids === undefined || (id !== null && ids.includes(id))
