import { Injectable } from '@nestjs/common'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, prepared, type Tx } from '../platform/database.js'
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
} from './load-balancer.dto.js'
import { LoadBalancer } from './load-balancer.entity.js'
import { rowOf } from './part-tables.js'
import { withTags } from './tag-filters.js'
import type { Tree } from './tree.js'

const listing: Listing<LoadBalancer> = {
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
}

const KIN = `
  ARRAY(SELECT x.id FROM listeners x WHERE x.load_balancer_id = b.id ORDER BY x.created_at, x.id) AS "listenerIds",
  ARRAY(SELECT x.id FROM pools x WHERE x.load_balancer_id = b.id ORDER BY x.created_at, x.id) AS "poolIds"`

type Kin = Pick<ShownBalancer, 'listenerIds' | 'poolIds'>

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
    const kin = await this.database.statement((tx) => kinOf(tx, items))
    return { items: items.map((row) => ({ row, listenerIds: [], poolIds: [], ...kin.get(row.id) })), next }
  }

  /** In one statement: it is what is asked most often. */
  async require(caller: Caller, id: string): Promise<ShownBalancer> {
    const [found] = await this.database.statement((tx) =>
      prepared<Kin & { row: Record<string, unknown> }>(
        tx,
        'balancing_show',
        `SELECT to_jsonb(b) AS row, ${KIN} FROM load_balancers b WHERE b.id = $1`,
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

/** Plan: index lookups for each, one by one (docs/adr/0041). */
async function kinOf(tx: Tx, rows: readonly LoadBalancer[]): Promise<Map<string, Kin>> {
  if (rows.length === 0) return new Map()
  const found = await prepared<Kin & { id: string }>(
    tx,
    'balancing_kin',
    `SELECT b.id, ${KIN} FROM unnest($1::uuid[]) AS b (id)`,
    [rows.map(({ id }) => id)],
  )
  return new Map(found.map(({ id, ...kin }) => [id, kin]))
}
