import { Injectable } from '@nestjs/common'
import { Hosts } from '../hosts/hosts.service.js'
import type { Caller } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { narrowedBy } from './connection-narrowing.js'
import type { PlaneStorageConnectionQuery, StorageConnectionQuery } from './storage-connection.dto.js'
import { StorageConnection } from './storage-connection.entity.js'

export const planeListing: Listing<StorageConnection> = {
  entity: StorageConnection,
  sortable: ['connectionId', 'createdAt', 'connectedSince', 'operatingStatus', 'provisioningStatus'],
  defaultSort: 'connectionId',
  filterable: ['connectionId', 'hostId', 'projectId', 'storageId', 'targetId', 'operatingStatus', 'provisioningStatus'],
}

/** Storage connections as they are listed: of one host, and of all. */
@Injectable()
export class StorageConnectionLists {
  constructor(
    private readonly database: Database,
    private readonly hosts: Hosts,
  ) {}

  async list(caller: Caller, hostId: string, query: StorageConnectionQuery): Promise<Page<StorageConnection>> {
    await this.hosts.require(hostId)
    const narrow = narrowedBy(query)
    return page(this.database.dataSource.manager, planeListing, query, (rows) => {
      inProjectsOf<StorageConnection>(caller)(rows)
      narrow(rows)
      rows.andWhere('row.hostId = :hostId', { hostId })
    })
  }

  /** Of all hosts. */
  listAll(caller: Caller, query: PlaneStorageConnectionQuery): Promise<Page<StorageConnection>> {
    const narrow = narrowedBy(query)
    return page(this.database.dataSource.manager, planeListing, query, (rows) => {
      inProjectsOf<StorageConnection>(caller)(rows)
      narrow(rows)
    })
  }
}
