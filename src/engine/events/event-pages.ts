import { Injectable } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { DomainError, Invalid } from '../platform/errors.js'
import type { EventQuery } from './event.dto.js'
import { readEventCursor } from './event-cursor.js'
import { filterOf } from './event-filter.js'
import { cursorOf, EventLog, type LoggedEvent } from './event-log.js'

/** 410: the events after this cursor are not what its reader believes. */
export class CursorLost extends DomainError {
  constructor(message: string) {
    super('cursor-lost', message)
  }
}

/** The event log in pages; its cursors are those of the stream. */
@Injectable()
export class EventPages {
  constructor(private readonly log: EventLog) {}

  async list(caller: Caller, query: EventQuery): Promise<{ items: LoggedEvent[]; next: string | null }> {
    if (query.sort !== undefined && query.sort !== 'at') {
      throw new Invalid('events have one order', [{ field: 'sort', message: "must be 'at', or left out" }])
    }
    const from = query.cursor === undefined ? await this.log.beginning() : readEventCursor(query.cursor)
    if (!from)
      throw new Invalid('the cursor is none of ours', [{ field: 'cursor', message: 'must be the id of an event' }])
    const lost = await this.log.lost(from)
    if (lost) throw new CursorLost(lost)
    const items = await this.log.list(from, query.limit + 1, filterOf(caller, query))
    const shown = items.slice(0, query.limit)
    const last = shown.at(-1)
    return { items: shown, next: items.length > query.limit && last ? cursorOf(last) : null }
  }
}
