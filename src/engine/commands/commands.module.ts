import { Module, type OnModuleInit } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { Database } from '../platform/database.js'
import { Metrics } from '../platform/metrics.js'
import { removeInBatches } from '../platform/retention.js'
import { Schedules, type TurnEnd } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { CommandController } from './command.controller.js'
import { Commands } from './commands.service.js'
import { Dispatcher } from './dispatcher.js'
import { Permits } from './permits.js'
import { ReportQueue } from './report-queue.js'
import { Settlement } from './settlement.js'
import { Settlers } from './settlers.js'
import { Wakeups } from './wakeups.js'

@Module({
  imports: [EventsModule],
  controllers: [CommandController],
  providers: [Commands, Dispatcher, Permits, ReportQueue, Settlement, Settlers, Wakeups],
  exports: [Commands, Dispatcher, Permits, ReportQueue, Settlement, Settlers],
})
export class CommandsModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly settlement: Settlement,
    private readonly settings: Settings,
    private readonly database: Database,
    private readonly metrics: Metrics,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'commands.expire',
      everyMs: 1_000,
      meaning: 'Ends commands that are past their deadline.',
      run: async () => {
        while ((await this.settlement.expire()) > 0);
      },
    })
    this.schedules.register({
      name: 'commands.retention',
      everyMs: 60_000,
      meaning: 'Removes ended commands that are older than commands.retentionMs.',
      run: () => this.removeOld(),
    })
    this.measure()
  }

  /** Plan: ix_commands_created_at from its beginning; the few that have not ended are stepped over. */
  private removeOld(): Promise<TurnEnd> {
    return removeInBatches(
      this.database,
      `DELETE FROM commands WHERE ctid = ANY (ARRAY(
         SELECT commands.ctid FROM commands, (SELECT now() - $1::float8 * interval '1 millisecond' AS at) cutoff
         WHERE created_at < cutoff.at AND finished_at < cutoff.at ORDER BY created_at LIMIT $2))`,
      [this.settings.get('commands.retentionMs')],
    )
  }

  private measure(): void {
    const unfinished = async (): Promise<{ state: string; count: number; age: number }[]> =>
      this.database.dataSource.query(
        `SELECT state, count(*)::int AS count, extract(epoch FROM now() - min(created_at))::float8 AS age
         FROM commands WHERE finished_at IS NULL GROUP BY state`,
      )
    this.metrics.gauge({
      name: 'keelson_commands_unfinished',
      help: 'Commands that have not ended, by state',
      labelNames: ['state'],
      collect: async (gauge) => {
        for (const row of await unfinished()) gauge.set({ state: row.state }, row.count)
      },
    })
    this.metrics.gauge({
      name: 'keelson_commands_oldest_age_seconds',
      help: 'Age of the oldest command that has not ended, by state',
      labelNames: ['state'],
      collect: async (gauge) => {
        for (const row of await unfinished()) gauge.set({ state: row.state }, row.age)
      },
    })
  }
}
