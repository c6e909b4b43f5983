import { Get, Query } from '@nestjs/common'
import type { Caller } from '../platform/caller.js'
import { Operation, RestController } from '../platform/openapi.js'
import { PageOf, viewPage } from '../platform/pages.js'
import { Who } from '../platform/who.js'
import { PlaneStorageConnectionQuery, StorageConnectionView, viewStorageConnection } from './storage-connection.dto.js'
import { StorageConnectionLists } from './storage-connection-lists.js'

@RestController('storage-connections', 'Storage connections')
export class PlaneStorageConnectionController {
  constructor(private readonly lists: StorageConnectionLists) {}

  @Get()
  @Operation({
    id: 'storageConnections.listAll',
    allow: { project: 'viewer' },
    summary: 'List the storage connections of all hosts',
    reply: [200, PageOf(StorageConnectionView)],
  })
  async list(@Who() caller: Caller, @Query() query: PlaneStorageConnectionQuery) {
    return viewPage(await this.lists.listAll(caller, query), viewStorageConnection)
  }
}
