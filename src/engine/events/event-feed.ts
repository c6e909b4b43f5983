import { setTimeout as pause } from 'node:timers/promises'
import { Injectable } from '@nestjs/common'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { Turnstile } from '../platform/turnstile.js'
import type { EventCursor } from './event-cursor.js'
import { type EventFilter, EventLog, type Look } from './event-log.js'
import { EventTail, LOOK_MS } from './event-tail.js'

const PAGE = 200
/** Who is behind may look sooner again: up to 10,000 events a second for each, so that it catches up. */
const CATCH_UP_MS = 20
/** With the tail, four reads of the log at once: whatever readers do, the pool is for the work. */
const READS_AT_ONCE = 3

export interface Start {
  readonly cursor: EventCursor
  /** Why it is not the cursor that was asked for. */
  readonly reset: string | null
  readonly incarnation: number
}

/**
 * Leads each reader through the log at its own pace, from its own cursor: a slow one costs a page of memory, however far
 * behind it is. Who has caught up shares the tail with all others.
 */
@Injectable()
export class EventFeed {
  private readonly turnstile = new Turnstile(READS_AT_ONCE, Number.POSITIVE_INFINITY)

  constructor(
    private readonly log: EventLog,
    private readonly tail: EventTail,
  ) {}

  /** Where a reader begins: after the last event that it has, or at the end. Null when it has gone meanwhile. */
  start(last: EventCursor | null, signal: AbortSignal): Promise<Start | null> {
    const find = async (): Promise<Start> => {
      const end = await this.log.end()
      const reset = last && (await this.log.lost(last))
      return { cursor: last && !reset ? last : end, reset, incarnation: end.incarnation }
    }
    return this.turnstile.pass(find, () => signal.aborted)
  }

  /** All that follows the cursor, look by look, those that found nothing for this reader included, until the signal. */
  async *follow(from: EventCursor, filter: EventFilter, signal: AbortSignal): AsyncGenerator<Look> {
    let cursor = from
    let nextLookMs = 0
    while (!signal.aborted) {
      let look = this.tail.after(cursor, filter)
      if (!look && !this.tail.covers(cursor)) {
        await pause(Math.max(0, nextLookMs - performance.now()), undefined, { signal })
        const begunMs = performance.now()
        look = await this.patiently(() => this.log.look(cursor, PAGE, filter), signal)
        nextLookMs = begunMs + (look?.more ? CATCH_UP_MS : LOOK_MS)
      }
      if (look && look.cursor !== cursor) {
        cursor = look.cursor
        yield look
      } else if (!this.tail.after(cursor, filter)) await this.tail.moved(signal, cursor)
    }
  }

  /** For a reader that knows `incarnation`: where it must start anew, if what it was sent is of a history that was lost. */
  async putBack(incarnation: number, signal: AbortSignal): Promise<EventCursor | null> {
    return this.patiently(async () => ((await this.log.wasPutBack(incarnation)) ? this.log.end() : null), signal)
  }

  /** Waits for its turn, and through any outage of the database. Null when the reader has gone. */
  private async patiently<T>(read: () => Promise<T>, signal: AbortSignal): Promise<T | null> {
    while (!signal.aborted) {
      try {
        return await this.turnstile.pass(read, () => signal.aborted)
      } catch (error) {
        if (!isDatabaseOutage(error)) throw error
        await this.tail.moved(signal)
      }
    }
    return null
  }
}
