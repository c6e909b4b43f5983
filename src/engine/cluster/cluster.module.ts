import { Module, type OnModuleInit } from '@nestjs/common'
import { EventsModule } from '../events/events.module.js'
import { Database } from '../platform/database.js'
import { Schedules } from '../platform/schedules.js'
import { SessionsModule } from '../sessions/sessions.module.js'
import { Replicas } from './replicas.js'
import { ScheduleController } from './schedule.controller.js'
import { SettingController } from './setting.controller.js'
import { SettingChanges } from './setting-changes.js'

@Module({
  imports: [EventsModule, SessionsModule],
  controllers: [SettingController, ScheduleController],
  providers: [Replicas, SettingChanges],
  exports: [Replicas],
})
export class ClusterModule implements OnModuleInit {
  constructor(
    private readonly schedules: Schedules,
    private readonly database: Database,
  ) {}

  onModuleInit(): void {
    this.schedules.register({
      name: 'cluster.replicas',
      everyMs: 60_000,
      meaning: 'Removes replicas whose lease ran out an hour ago.',
      run: async () => {
        await this.database.dataSource.query(`DELETE FROM replicas WHERE lease_until < now() - interval '1 hour'`)
      },
    })
  }
}
