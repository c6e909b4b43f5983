import { Get, Query } from '@nestjs/common'
import { Database } from '../platform/database.js'
import type { Listing } from '../platform/listing.js'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf, page, viewPage } from '../platform/pages.js'
import { Schedule } from '../platform/schedule.entity.js'
import { Schedules } from '../platform/schedules.js'
import { ScheduleQuery, ScheduleView, viewSchedule } from './schedule.dto.js'

const listing: Listing<Schedule> = {
  entity: Schedule,
  sortable: ['name', 'nextRunAt'],
  defaultSort: 'name',
  id: 'name',
}

@RestController('schedules', 'Schedules', 'Periodic work: any replica takes the next turn.')
export class ScheduleController {
  constructor(
    private readonly database: Database,
    private readonly schedules: Schedules,
  ) {}

  @Get()
  @Operation({
    id: 'schedules.list',
    allow: { plane: 'viewer' },
    summary: 'List schedules with their last and next turn',
    reply: [200, PageOf(ScheduleView)],
  })
  async list(@Query() query: ScheduleQuery) {
    const found = await page(this.database.dataSource.manager, listing, query)
    return viewPage(found, (row) => viewSchedule(row, this.schedules.spec(row.name)))
  }
}
