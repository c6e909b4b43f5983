import { Injectable } from '@nestjs/common'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, prepared } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { BalancerParts } from './balancer-parts.service.js'
import { Balancers } from './balancers.service.js'
import { fullTree } from './edits/full-tree.js'
import { updateLoadBalancer } from './edits/load-balancers.js'
import { type HowAsked, unlessGone } from './how-asked.js'
import {
  type LoadBalancerCreate,
  type LoadBalancerQuery,
  type LoadBalancerUpdate,
  type ShownBalancer,
  shownBalancer,
  type UnshownColumn,
} from './load-balancer.dto.js'
import { LoadBalancer } from './load-balancer.entity.js'
import { rowOf } from './part-tables.js'
import { withTags } from './tag-filters.js'
import type { Tree } from './tree.js'

type Kin = Pick<ShownBalancer, 'listenerIds' | 'poolIds'>

/** Plan: index lookups for each balancer, one by one (docs/adr/0041). */
const idsUnder = (table: 'listeners' | 'pools', balancer: string): string =>
  `ARRAY(SELECT x.id FROM ${table} x WHERE x.load_balancer_id = ${balancer}.id ORDER BY x.created_at, x.id)`

const listing: Listing<LoadBalancer, Kin, UnshownColumn> = {
  entity: LoadBalancer,
  sortable: ['name', 'createdAt', 'updatedAt', 'vipAddress', 'provider', 'operatingStatus', 'provisioningStatus'],
  defaultSort: 'createdAt',
  filterable: [
    'projectId',
    'name',
    'provisioningStatus',
    'operatingStatus',
    'networkId',
    'vipAddress',
    'provider',
    'hostId',
  ],
  unread: ['deviceId', 'placementGeneration', 'movingFromDeviceId', 'intentDigest', 'observedGeneration', 'statistics'],
  also: { listenerIds: idsUnder('listeners', '"row"'), poolIds: idsUnder('pools', '"row"') },
}

/** What callers of the native face ask of load balancers. */
@Injectable()
export class BalancerRequests {
  constructor(
    private readonly database: Database,
    private readonly balancers: Balancers,
    private readonly parts: BalancerParts,
  ) {}

  async list(caller: Caller, query: LoadBalancerQuery): Promise<Page<ShownBalancer>> {
    const { items, next } = await page(this.database.dataSource.manager, listing, query, (rows) => {
      inProjectsOf<LoadBalancer>(caller)(rows)
      withTags(rows, query)
    })
    return { items: items.map((row) => ({ row, listenerIds: row.listenerIds, poolIds: row.poolIds })), next }
  }

  /** In one statement: it is what is asked most often. */
  async require(caller: Caller, id: string): Promise<ShownBalancer<LoadBalancer>> {
    const [found] = await this.database.statement((tx) =>
      prepared<Kin & { row: Record<string, unknown> }>(
        tx,
        'balancing_show',
        `SELECT to_jsonb(b) AS row, ${idsUnder('listeners', 'b')} AS "listenerIds", ${idsUnder('pools', 'b')} AS "poolIds"
         FROM load_balancers b WHERE b.id = $1`,
        [id],
      ),
    )
    if (!found) throw new NotFound(`load balancer ${id}`)
    const row = rowOf<LoadBalancer>(found.row)
    requireInProject(caller, row.projectId, 'viewer', `load balancer ${id}`)
    return { row, listenerIds: found.listenerIds, poolIds: found.poolIds }
  }

  /** The one that a listener is of. */
  async above(caller: Caller, listenerId: string): Promise<LoadBalancer> {
    const { row } = await this.parts.require(caller, 'listeners', listenerId)
    return (await this.require(caller, row.loadBalancerId)).row
  }

  async create(caller: Caller, body: LoadBalancerCreate, how: HowAsked): Promise<ShownBalancer> {
    const { vipNetworkId, name, description, adminStateUp, tags, listeners, pools, ...wanted } = body
    const tree = await this.balancers.create(
      caller,
      {
        ...wanted,
        networkId: vipNetworkId,
        name: name ?? '',
        description: description ?? '',
        adminStateUp: adminStateUp ?? true,
        tags: tags ?? [],
        build: fullTree({ listeners, pools }),
      },
      how,
    )
    return shownBalancer(await this.settled(caller, tree, how))
  }

  async update(caller: Caller, id: string, body: LoadBalancerUpdate, how: HowAsked): Promise<ShownBalancer> {
    const tree = await this.balancers.change(caller, id, updateLoadBalancer(body), how)
    return shownBalancer(await this.settled(caller, tree, how))
  }

  async delete(caller: Caller, id: string, cascade: boolean, how: HowAsked): Promise<ShownBalancer> {
    const before = await this.require(caller, id)
    const row = await this.balancers.delete(caller, id, { ...how, cascade })
    if (how.waitMs === 0) return { ...before, row }
    const after = await unlessGone(this.balancers.settled(caller, id, row.generation, how.waitMs))
    return after ? shownBalancer(after) : { ...before, row: { ...row, provisioningStatus: 'DELETED' } }
  }

  async reset(caller: Caller, id: string, how: HowAsked): Promise<ShownBalancer> {
    return shownBalancer(await this.settled(caller, await this.balancers.reset(caller, id), how))
  }

  private async settled(caller: Caller, tree: Tree, { waitMs }: HowAsked): Promise<Tree> {
    const { id, generation } = tree.loadBalancer
    return waitMs === 0 ? tree : this.balancers.settled(caller, id, generation, waitMs)
  }
}
