import { Injectable } from '@nestjs/common'
import { Hosts } from '../hosts/hosts.service.js'
import { type Caller, mayInPlane } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import type { Listing } from '../platform/listing.js'
import { page } from '../platform/pages.js'
import { BadInput, coded } from '../platform/validation.js'
import { OwnStorageConnection } from './own-storage-connection.entity.js'
import type { StorageConnectionQuery } from './storage-connection.dto.js'
import { planeListing, StorageConnectionLists } from './storage-connection-lists.js'
import { type ListedStorageConnectionPage, listedOfHost, listedOfPlane } from './storage-listing.dto.js'
import { findUntold } from './untold-connections.queries.js'

const ownListing: Listing<OwnStorageConnection> = {
  entity: OwnStorageConnection,
  sortable: ['connectionId', 'createdAt', 'operatingStatus'],
  defaultSort: 'connectionId',
  filterable: ['connectionId', 'operatingStatus', 'target', 'targetId'],
}

/** Whatever else a query asks for is nothing that the host's part has: then that part is left out. */
const ownAnswers = new Set(['limit', 'cursor', 'sort', 'managed', 'origin', ...(ownListing.filterable ?? [])])

/** Of the host's part; cursors of the plane's have no dot. */
const OWN_CURSOR = 'own.'

/**
 * All storage connections of a host in one list of two parts that follow each other, each in the order that is asked for:
 * what the plane asked for, then what the host has without it, which is shown to the plane's own people (docs/adr/0037).
 */
@Injectable()
export class StorageListing {
  constructor(
    private readonly lists: StorageConnectionLists,
    private readonly hosts: Hosts,
    private readonly database: Database,
  ) {}

  async list(caller: Caller, hostId: string, query: StorageConnectionQuery): Promise<ListedStorageConnectionPage> {
    const own = mayInPlane(caller, 'viewer') && asksForOwn(query)
    if (query.cursor?.startsWith(OWN_CURSOR)) {
      if (!own) throw new BadInput([coded('cursor', 'cursor', 'cursor belongs to other filters')])
      return this.ownPage(hostId, query, query.cursor.slice(OWN_CURSOR.length), query.limit)
    }
    if (!asksForPlanes(query)) return own ? this.ownPage(hostId, query, '', query.limit) : this.nothing(hostId)
    const first = await this.lists.list(caller, hostId, query)
    const items = first.items.map(listedOfPlane)
    if (first.next !== null || !own) return { items, next: first.next, untold: 0 }
    const room = query.limit - items.length
    const rest = await this.ownPage(hostId, query, '', Math.max(room, 1))
    if (room > 0) return { ...rest, items: [...items, ...rest.items] }
    return { ...rest, items, next: rest.items.length > 0 ? OWN_CURSOR : null }
  }

  private async ownPage(
    hostId: string,
    query: StorageConnectionQuery,
    cursor: string,
    limit: number,
  ): Promise<ListedStorageConnectionPage> {
    await this.hosts.require(hostId)
    const managed = managedWanted(query)
    const sort = ownSort(query.sort)
    const asked = { ...query, sort, limit, cursor: cursor === '' ? undefined : cursor }
    const found = await page(this.database.dataSource.manager, ownListing, asked, (rows) => {
      rows.andWhere('row.hostId = :hostId', { hostId })
      if (managed !== null) rows.andWhere('row.managed = :managed', { managed })
    })
    const untold = managed === true ? 0 : await this.database.statement((tx) => findUntold(tx, hostId))
    return { items: found.items.map(listedOfHost), next: found.next && `${OWN_CURSOR}${found.next}`, untold }
  }

  private async nothing(hostId: string): Promise<ListedStorageConnectionPage> {
    await this.hosts.require(hostId)
    return { items: [], next: null, untold: 0 }
  }
}

const asksForPlanes = ({ managed = ['true'], origin = ['plane'] }: StorageConnectionQuery): boolean =>
  managed.includes('true') && origin.includes('plane')

/** What no id holds has no origin. */
function asksForOwn(query: StorageConnectionQuery): boolean {
  const { managed, origin = ['host'] } = query
  const others = Object.entries(query).some(([name, value]) => value !== undefined && !ownAnswers.has(name))
  return !others && origin.includes('host') && !(query.origin && managed && !managed.includes('true'))
}

/** Null: both. */
function managedWanted({ managed, origin }: StorageConnectionQuery): boolean | null {
  if (origin) return true
  return managed && new Set(managed).size === 1 ? managed[0] === 'true' : null
}

/** What the plane's part alone is sorted by is equal for all of the host's. */
function ownSort(sort: string | undefined): string | undefined {
  const terms = sort?.split(',').filter((term) => {
    const property = term.replace(/^-/, '')
    const ofPlane: readonly string[] = planeListing.sortable
    const ofOwn: readonly string[] = ownListing.sortable
    return ofOwn.includes(property) || !ofPlane.includes(property)
  })
  return terms?.length ? terms.join(',') : undefined
}
