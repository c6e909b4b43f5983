import { Get, Post, Query } from '@nestjs/common'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { QuarantinedView, QuarantineQuery, viewQuarantined } from './quarantine.dto.js'
import { Quarantine } from './quarantine.service.js'

@RestController(
  'quarantine',
  'Quarantine',
  'What hosts hold and the database does not account for: shown, never removed by itself.',
)
export class QuarantineController {
  constructor(private readonly quarantine: Quarantine) {}

  @Get()
  @Operation({
    id: 'quarantine.list',
    allow: { plane: 'viewer' },
    summary: 'List quarantined things',
    reply: [200, PageOf(QuarantinedView)],
  })
  async list(@Query() query: QuarantineQuery) {
    return viewPage(await this.quarantine.list(query), viewQuarantined)
  }

  @Get(':id')
  @Operation({
    id: 'quarantine.get',
    allow: { plane: 'viewer' },
    summary: 'Show a quarantined thing',
    reply: [200, QuarantinedView],
  })
  async get(@IdParam() id: string) {
    return viewQuarantined(await this.quarantine.require(id))
  }

  @Post(':id/dismiss')
  @Operation({
    id: 'quarantine.dismiss',
    allow: { plane: 'operator' },
    summary: 'Leave the thing as it is, and count it no more',
    reply: [200, QuarantinedView],
    errors: ['conflict'],
  })
  async dismiss(@IdParam() id: string) {
    return viewQuarantined(await this.quarantine.dismiss(id))
  }

  @Post(':id/remove')
  @Operation({
    id: 'quarantine.remove',
    allow: { plane: 'admin' },
    summary: 'Have its host remove the thing',
    reply: [200, QuarantinedView],
    errors: ['conflict'],
  })
  async remove(@IdParam() id: string) {
    return viewQuarantined(await this.quarantine.remove(id))
  }
}
