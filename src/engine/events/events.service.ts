import { Injectable } from '@nestjs/common'
import { currentContext } from '../../log/context.js'
import { currentCall } from '../platform/audited-call.js'
import { Database, prepared, type Tx } from '../platform/database.js'
import { Notifications } from '../platform/notifications.js'
import type { EventType } from './event-types.js'

/** An event to be appended. `subject` names the thing plane-wide, e.g. `storage-connection/<hostId>/<id>`. */
export interface EventDraft {
  readonly type: EventType
  readonly subject: string
  readonly hostId?: string | null
  /** Who sees it: whoever may see the project. Null or left out: it is the plane's own. */
  readonly projectId?: string | null
  readonly payload?: Readonly<Record<string, unknown>>
}

export const EVENTS_CHANNEL = 'keelson_events'

type Hearer = (drafts: readonly EventDraft[]) => void

/** The log of what happened, written in the transactions that make it happen. */
@Injectable()
export class Events {
  private readonly hearers: Hearer[] = []

  constructor(
    private readonly database: Database,
    private readonly notifications: Notifications,
  ) {}

  async append(tx: Tx, drafts: readonly EventDraft[]): Promise<void> {
    if (drafts.length === 0) return
    nameSubjects(drafts)
    await prepared(tx, 'events_append', `${appendFrom('$1')} ORDER BY e.place`, [
      encodeEvents(drafts.map((draft) => eventRow(draft))),
    ])
    this.announce(tx)
    this.database.afterCommit(tx, () => {
      for (const hear of this.hearers) hear(drafts)
    })
  }

  /**
   * Tells what this replica itself has appended, as soon as it is committed: before it is in the log for readers, which keep to
   * an order. What other replicas append is not heard: whoever must not miss that follows the log.
   */
  heard(hearer: Hearer): void {
    this.hearers.push(hearer)
  }

  /** For a statement that appends by `appendFrom` itself: readers hear of it after the commit. */
  announce(tx: Tx): void {
    this.database.afterCommit(tx, () => this.announceNow())
  }

  announceNow(): void {
    this.notifications.notify(EVENTS_CHANNEL, 'new')
  }
}

/** The append as a part of another statement, which goes on with its own WHERE; `parameter` is what `encodeEvents` gives. */
export const appendFrom = (parameter: string): string =>
  `INSERT INTO events (incarnation, type, subject, host_id, project_id, request_id, payload)
   SELECT (SELECT max(number) FROM incarnations), e.type, e.subject, e.host_id, e.project_id, e.request_id, e.payload
   FROM jsonb_to_recordset(${parameter}::jsonb)
     AS e(place int, command_id uuid, type text, subject text, host_id uuid, project_id uuid, request_id text, payload jsonb)`

/** An event as it is written, of the request that is under way. */
export interface EventRow {
  /** The command that it goes with, where the same statement queues several. */
  readonly command_id: string | null
  readonly type: EventType
  readonly subject: string
  readonly host_id: string | null
  readonly project_id: string | null
  readonly request_id: string | null
  readonly payload: Readonly<Record<string, unknown>>
}

export const eventRow = (draft: EventDraft, commandId: string | null = null): EventRow => ({
  command_id: commandId,
  type: draft.type,
  subject: draft.subject,
  host_id: draft.hostId ?? null,
  project_id: draft.projectId ?? null,
  request_id: currentContext().requestId ?? null,
  payload: draft.payload ?? {},
})

export const encodeEvents = (rows: readonly EventRow[]): string =>
  JSON.stringify(rows.map((row, place) => ({ place, ...row })))

/** The call that is under way is about what its events tell of. */
export function nameSubjects(drafts: readonly Pick<EventDraft, 'subject' | 'projectId'>[]): void {
  for (const { subject, projectId } of drafts) currentCall()?.about(subject, projectId)
}
