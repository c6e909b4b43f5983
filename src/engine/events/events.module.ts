import { Module, type OnModuleInit } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { removeInBatches } from '../platform/retention.js'
import { Schedules, type TurnEnd } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { EventController } from './event.controller.js'
import { EventFeed } from './event-feed.js'
import { EventLog } from './event-log.js'
import { EventPages } from './event-pages.js'
import { EventStreams } from './event-streams.js'
import { EventTail } from './event-tail.js'
import { Events } from './events.service.js'
import { StreamWatch } from './stream-watch.js'

const LONGEST_TRANSACTION_MS = 60_000

@Module({
  controllers: [EventController],
  providers: [Events, EventLog, EventTail, EventFeed, EventPages, EventStreams, StreamWatch],
  exports: [Events, EventFeed, EventLog, EventStreams, StreamWatch],
})
export class EventsModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly settings: Settings,
    private readonly database: Database,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'events.retention',
      everyMs: 60_000,
      meaning: 'Removes events that are older than events.retentionMs, but for the newest of them.',
      run: () => this.removeOld(),
    })
  }

  /**
   * From the beginning of the log on, so that a cursor whose event is there has lost nothing after it. The newest of the
   * old ones stays: who has it has been away for less than the retention. It is older than any transaction was open, as
   * within such a time events may be younger than those that follow them.
   * Plan: the newest by ix_events_at, the rest from the beginning of the primary key, and each by its place in the table.
   */
  private removeOld(): Promise<TurnEnd> {
    return removeInBatches(
      this.database,
      `DELETE FROM events WHERE ctid = ANY (ARRAY(
         SELECT ctid FROM events
         WHERE at < now() - $1::float8 * interval '1 millisecond' AND (incarnation, xid, id) < (
           SELECT incarnation, xid, id FROM events
           WHERE at < now() - ($1::float8 + $2::float8) * interval '1 millisecond'
           ORDER BY at DESC, incarnation DESC, xid DESC, id DESC LIMIT 1)
         ORDER BY incarnation, xid, id LIMIT $3))`,
      [this.settings.get('events.retentionMs'), LONGEST_TRANSACTION_MS],
    )
  }
}
