import { Get, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { HostReadinessView, StorageReadinessQuery } from './storage-readiness.dto.js'
import { StorageReadinessReader } from './storage-readiness.service.js'

@RestController('storage-readiness', 'Storage connections')
export class StorageReadinessController {
  constructor(private readonly readiness: StorageReadinessReader) {}

  @Get()
  @Operation({
    id: 'storageReadiness.list',
    allow: { project: 'viewer' },
    summary: 'On which hosts all of some connections are up, and why not on others',
    description:
      'Of the hosts that are named, or of all, page by page. A caller who sees projects alone is shown of all hosts those that hold something of what is asked for.',
    reply: [200, PageOf(HostReadinessView)],
  })
  async list(@Who() caller: Caller, @Query() query: StorageReadinessQuery) {
    return this.readiness.list(caller, query)
  }
}
