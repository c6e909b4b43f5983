import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { type EventCursor, writeEventCursor } from './event-cursor.js'
import type { EventType } from './event-types.js'

export interface LoggedEvent {
  readonly cursor: EventCursor
  readonly at: Date
  readonly type: string
  readonly subject: string
  readonly hostId: string | null
  readonly projectId: string | null
  readonly requestId: string | null
  readonly payload: Record<string, unknown>
}

interface Row {
  incarnation: number
  incarnation_id: string
  xid: number
  id: number
  at: Date
  type: string
  subject: string
  host_id: string | null
  project_id: string | null
  request_id: string | null
  payload: Record<string, unknown>
}

/** The last event that was looked at, and how many there were. */
interface Looked {
  looked: number
  last_incarnation: number
  last_incarnation_id: string
  last_xid: number
  last_id: number
}

export interface EventFilter {
  readonly types?: readonly string[]
  readonly subject?: string
  readonly hostIds?: readonly string[]
  /** Of these projects alone: the plane's own are left out too. */
  readonly projectIds?: readonly string[]
}

/** What one look at the log found. */
export interface Look {
  readonly events: readonly LoggedEvent[]
  /**
   * As far as was looked: always an event, matching or not. Not merely a transaction id, as those of transactions that came to
   * nothing may be given out again after a crash.
   */
  readonly cursor: EventCursor
  /** Whether there may be more behind it already. */
  readonly more: boolean
}

export const PUT_BACK = 'the database was put back to an earlier state: this cursor is of the history that was lost'
/** Events that a filtered look goes through at most, so that it ends soon however rare what it looks for is. */
const WINDOW = 5_000
const COLUMNS = `e.incarnation, i.id AS incarnation_id, e.xid, e.id, e.at, e.type, e.subject, e.host_id,
  e.project_id, e.request_id, e.payload`
const AFTER = '(e.incarnation, e.xid, e.id) > ($1, $2::bigint, $3::bigint)'
/** Only what no open transaction can still get ahead of. */
const SETTLED = `(e.incarnation, e.xid) <
  (SELECT max(number), pg_snapshot_xmin(pg_current_snapshot())::text::bigint FROM incarnations)`
const MATCHES = `($5::text[] IS NULL OR e.type = ANY($5)) AND ($6::text IS NULL OR e.subject = $6)
  AND ($7::uuid[] IS NULL OR e.host_id = ANY($7))`
const OF_PROJECTS = '($8::uuid[] IS NULL OR e.project_id = ANY($8))'

/** Reads of the event log, by cursor, oldest first. */
@Injectable()
export class EventLog {
  constructor(private readonly database: Database) {}

  /** Plan: a range of the primary key from the cursor on, as long as it takes to find so many. */
  async list(cursor: EventCursor, limit: number, filter: EventFilter): Promise<LoggedEvent[]> {
    if (filter.projectIds) return this.listOfProjects(cursor, limit, filter, filter.projectIds)
    const rows = await this.database.query<Row>(
      'events_list',
      `SELECT ${COLUMNS} FROM events e JOIN incarnations i ON i.number = e.incarnation
       WHERE ${AFTER} AND ${SETTLED} AND ${MATCHES} ORDER BY e.incarnation, e.xid, e.id LIMIT $4`,
      parametersOf(cursor, limit, filter),
    )
    return rows.map(toEvent)
  }

  /** Plan: a range of ix_events_project_id for each project, whatever happens beside them. */
  private async listOfProjects(
    cursor: EventCursor,
    limit: number,
    filter: EventFilter,
    projectIds: readonly string[],
  ): Promise<LoggedEvent[]> {
    const rows = await this.database.query<Row>(
      'events_list_of_projects',
      `SELECT found.* FROM unnest($8::uuid[]) AS p(id) CROSS JOIN LATERAL (
         SELECT ${COLUMNS} FROM events e JOIN incarnations i ON i.number = e.incarnation
         WHERE e.project_id = p.id AND ${AFTER} AND ${SETTLED} AND ${MATCHES}
         ORDER BY e.incarnation, e.xid, e.id LIMIT $4) found
       ORDER BY found.incarnation, found.xid, found.id LIMIT $4`,
      [...parametersOf(cursor, limit, filter), [...new Set(projectIds)]],
    )
    return rows.map(toEvent)
  }

  /** Plan: two ranges of the primary key from the cursor on, the first index-only; one snapshot for both. */
  async look(cursor: EventCursor, limit: number, filter: EventFilter = {}): Promise<Look> {
    const window = Object.values(filter).some((value) => value !== undefined) ? WINDOW : limit
    const rows = await this.database.query<(Row | { id: null }) & Looked>(
      'events_look',
      `WITH looked AS MATERIALIZED (
         SELECT e.incarnation, e.xid, e.id FROM events e WHERE ${AFTER} AND ${SETTLED}
         ORDER BY e.incarnation, e.xid, e.id LIMIT $9),
       last AS (
         SELECT incarnation, xid, id, (SELECT count(*)::int FROM looked) AS looked
         FROM looked ORDER BY incarnation DESC, xid DESC, id DESC LIMIT 1)
       SELECT found.*, last.looked, last.incarnation AS last_incarnation, li.id AS last_incarnation_id,
         last.xid AS last_xid, last.id AS last_id
       FROM last JOIN incarnations li ON li.number = last.incarnation LEFT JOIN LATERAL (
         SELECT ${COLUMNS} FROM events e JOIN incarnations i ON i.number = e.incarnation
         WHERE ${AFTER} AND (e.incarnation, e.xid, e.id) <= (last.incarnation, last.xid, last.id)
           AND ${MATCHES} AND ${OF_PROJECTS}
         ORDER BY e.incarnation, e.xid, e.id LIMIT $4) found ON true
       ORDER BY found.incarnation, found.xid, found.id`,
      [...parametersOf(cursor, limit, filter), filter.projectIds ?? null, window],
    )
    const events = rows.filter((row): row is Row & Looked => row.id !== null).map(toEvent)
    const [place] = rows
    const lastEvent = events.at(-1)
    if (!place) return { events, cursor, more: false }
    if (lastEvent && events.length === limit) return { events, cursor: lastEvent.cursor, more: true }
    return { events, cursor: lastOf(place), more: place.looked === window }
  }

  /** The place after everything that is readable now. */
  async end(): Promise<EventCursor> {
    const [row] = await this.database.query<Pick<Row, 'incarnation' | 'incarnation_id' | 'xid' | 'id'>>(
      'events_end',
      `SELECT i.number AS incarnation, i.id AS incarnation_id, coalesce(newest.xid, 0) AS xid, coalesce(newest.id, 0) AS id
       FROM incarnations i LEFT JOIN (
         SELECT e.incarnation, e.xid, e.id FROM events e WHERE ${SETTLED}
         ORDER BY e.incarnation DESC, e.xid DESC, e.id DESC LIMIT 1) newest ON newest.incarnation = i.number
       ORDER BY newest.id IS NULL, i.number DESC LIMIT 1`,
    )
    if (!row) throw new Error('the database has no incarnation')
    return { incarnation: row.incarnation, incarnationId: row.incarnation_id, xid: row.xid, id: row.id }
  }

  /** The place before everything that is still kept. */
  async beginning(): Promise<EventCursor> {
    const end = await this.end()
    return { ...end, incarnation: 0, xid: 0, id: 0 }
  }

  /** Why this cursor cannot be gone on from: another history, or older than what is kept. Null when it can. */
  async lost(cursor: EventCursor): Promise<string | null> {
    if (cursor.incarnation === 0) return null
    // the log is removed from its beginning on: where the event of the cursor is, there is all that followed
    const [row] = await this.database.query<{ known: boolean; there: boolean; kept: boolean }>(
      'events_cursor_known',
      `SELECT EXISTS (SELECT FROM incarnations WHERE number = $1 AND left(id::text, 8) = $2) AS known,
         CASE WHEN $4::bigint = 0
           THEN coalesce((SELECT id = 1 FROM events ORDER BY incarnation, xid, id LIMIT 1), true)
           ELSE EXISTS (SELECT FROM events WHERE (incarnation, xid, id) = ($1, $3::bigint, $4::bigint))
         END AS there,
         coalesce((SELECT (incarnation, xid, id) <= ($1, $3::bigint, $4::bigint) FROM events
                   ORDER BY incarnation, xid, id LIMIT 1), true) AS kept`,
      [cursor.incarnation, cursor.incarnationId.slice(0, 8), cursor.xid, cursor.id],
    )
    if (!row?.known) return PUT_BACK
    if (row.there) return null
    return row.kept ? PUT_BACK : 'the cursor is older than the events that are kept'
  }

  /** Whether a host has proven, after this incarnation began, that a part of it is gone. */
  async wasPutBack(incarnation: number): Promise<boolean> {
    const type: EventType = 'database.incarnation.begun'
    const [row] = await this.database.query<{ found: boolean }>(
      'events_put_back',
      'SELECT EXISTS (SELECT FROM events WHERE incarnation > $1 AND type = $2) AS found',
      [incarnation, type],
    )
    return row?.found ?? false
  }
}

function parametersOf(cursor: EventCursor, limit: number, { types, subject, hostIds }: EventFilter): unknown[] {
  return [cursor.incarnation, cursor.xid, cursor.id, limit, types ?? null, subject ?? null, hostIds ?? null]
}

function lastOf(row: Looked): EventCursor {
  return {
    incarnation: row.last_incarnation,
    incarnationId: row.last_incarnation_id,
    xid: row.last_xid,
    id: row.last_id,
  }
}

function toEvent(row: Row): LoggedEvent {
  const { incarnation, incarnation_id: incarnationId, xid, id } = row
  return {
    cursor: { incarnation, incarnationId, xid, id },
    at: row.at,
    type: row.type,
    subject: row.subject,
    hostId: row.host_id,
    projectId: row.project_id,
    requestId: row.request_id,
    payload: row.payload,
  }
}

export const cursorOf = (event: LoggedEvent): string => writeEventCursor(event.cursor)
