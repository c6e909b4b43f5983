import { Get, Post, Query } from '@nestjs/common'
import { IdParam, Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { TombstoneQuery, TombstoneView, viewTombstone } from './tombstone.dto.js'
import { Tombstones } from './tombstones.service.js'

@RestController(
  'tombstones',
  'Tombstones',
  'What was deleted and must go from its host: the evidence without which nothing is removed.',
)
export class TombstoneController {
  constructor(private readonly tombstones: Tombstones) {}

  @Get()
  @Operation({
    id: 'tombstones.list',
    allow: { plane: 'viewer' },
    summary: 'List tombstones',
    reply: [200, PageOf(TombstoneView)],
  })
  async list(@Query() query: TombstoneQuery) {
    return viewPage(await this.tombstones.list(query), viewTombstone)
  }

  @Get(':id')
  @Operation({
    id: 'tombstones.get',
    allow: { plane: 'viewer' },
    summary: 'Show a tombstone',
    reply: [200, TombstoneView],
  })
  async get(@IdParam() id: string) {
    return viewTombstone(await this.tombstones.require(id))
  }

  @Post(':id/forget')
  @Operation({
    id: 'tombstones.forget',
    allow: { plane: 'admin' },
    summary: 'Give the name free without the confirmation of the host, which may never come back',
    reply: [200, TombstoneView],
    errors: ['conflict'],
  })
  async forget(@IdParam() id: string) {
    return viewTombstone(await this.tombstones.forget(id))
  }
}
