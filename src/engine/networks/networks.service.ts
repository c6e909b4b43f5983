import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'
import type { Caller } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { type User, UsersOf } from '../platform/users-of.js'
import type { NetworkAddressQuery, NetworkCreate, NetworkQuery, NetworkUpdate } from './network.dto.js'
import { Network } from './network.entity.js'
import { networkEvent } from './network.events.js'
import { countHeld, findNeighbour, holdingsOf, type Neighbour, removeFree, writePool } from './network.queries.js'
import { NetworkAddress } from './network-address.entity.js'
import { NetworkAddresses } from './network-addresses.service.js'
import { planAddresses, requireFitting } from './network-plan.js'
import type { ShownNetwork } from './network-view.dto.js'
import { visibleNetworks } from './network-visibility.js'

const listing: Listing<Network> = {
  entity: Network,
  sortable: ['name', 'cidr', 'createdAt'],
  defaultSort: 'name',
  filterable: ['projectId', 'name', 'bridge'],
}

const addressListing: Listing<NetworkAddress> = {
  entity: NetworkAddress,
  sortable: ['address'],
  defaultSort: 'address',
  id: 'address',
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'
const SHOWN = 50

/** Networks as they are said to be. No host is told of one before something has an address of it there (docs/adr/0045). */
@Injectable()
export class Networks {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly users: UsersOf,
    private readonly claims: NetworkAddresses,
  ) {
    users.register('project', async (tx, projectId): Promise<User[]> => {
      const sql = 'SELECT id, name FROM networks WHERE project_id = $1 ORDER BY name LIMIT 1000'
      const rows: { id: string; name: string }[] = await tx.query(sql, [projectId])
      return rows.map((row) => ({ noun: 'network', ...row }))
    })
  }

  async list(caller: Caller, query: NetworkQuery): Promise<Page<ShownNetwork>> {
    const { manager } = this.database.dataSource
    const { items, next } = await page(manager, listing, query, visibleNetworks(caller))
    return { items: await shown(manager, items), next }
  }

  async require(caller: Caller, id: string): Promise<ShownNetwork> {
    const { manager } = this.database.dataSource
    return one(manager, await this.claims.requireNetwork(manager, caller, id))
  }

  async addresses(caller: Caller, id: string, query: NetworkAddressQuery): Promise<Page<NetworkAddress>> {
    const { manager } = this.database.dataSource
    await this.claims.requireNetwork(manager, caller, id)
    const [state, ...others] = new Set(query.state ?? [])
    return page(manager, addressListing, query, (rows) => {
      rows.andWhere('row.networkId = :id', { id })
      if (others.length === 0 && state) rows.andWhere(`row.holderId IS ${state === 'free' ? '' : 'NOT '}NULL`)
    })
  }

  async create(body: NetworkCreate): Promise<ShownNetwork> {
    const { kept, ...addresses } = planAddresses({ ...body, gateway: body.gateway ?? null })
    const said = {
      projectId: body.projectId?.toLowerCase() ?? null,
      name: body.name,
      description: body.description ?? '',
      ...addresses,
      bridge: body.bridge ?? null,
      createBridge: body.createBridge ?? false,
      uplink: body.uplink ?? null,
      vlan: body.vlan ?? null,
      hostIsGateway: body.hostIsGateway ?? false,
    }
    requireFitting(said)
    return this.named(said.name, said.projectId, async (tx) => {
      // one that is made at the same time is seen, and nothing that takes an address waits
      await tx.query('LOCK TABLE networks IN SHARE ROW EXCLUSIVE MODE')
      const neighbour = await findNeighbour(tx, said)
      if (neighbour) throw contradicts(said, neighbour)
      const id = randomUUID()
      await tx.insert(Network, { id, ...said, ranges: [...said.ranges] })
      await writePool(tx, id, { kept, ...addresses })
      return this.tell(tx, 'networks.network.created', id)
    })
  }

  async update(id: string, body: NetworkUpdate, ifMatch: IfMatch | null): Promise<ShownNetwork> {
    return this.named(body.name ?? '', null, async (tx) => {
      const network = await lock(tx, id)
      requireMatch(ifMatch, network.generation)
      const { name = network.name, description = network.description, ranges = network.ranges } = body
      const gateway = body.gateway === undefined ? network.gateway : body.gateway
      const { kept, ...addresses } = planAddresses({ cidr: network.cidr, gateway, ranges })
      const changed = { ...network, name, description, ...addresses }
      if (isDeepStrictEqual(changed, { ...network })) return one(tx, network)
      requireFitting(changed)
      if (addresses.gateway !== network.gateway || !isDeepStrictEqual(addresses.ranges, network.ranges)) {
        await removeFree(tx, id)
        if (addresses.gateway !== network.gateway) await this.requireUnheld(tx, id)
        await writePool(tx, id, { kept, ...addresses })
      }
      const { size } = addresses
      const written = { name, description, gateway: addresses.gateway, ranges: [...addresses.ranges], size }
      await tx.update(Network, { id }, { ...written, generation: network.generation + 1, updatedAt: new Date() })
      return this.tell(tx, 'networks.network.updated', id)
    })
  }

  async delete(id: string, ifMatch: IfMatch | null): Promise<void> {
    await told(id, () =>
      this.database.transaction(async (tx) => {
        const network = await lock(tx, id)
        requireMatch(ifMatch, network.generation)
        // those that are being claimed are had before this goes on, or free
        await removeFree(tx, id)
        await this.requireUnheld(tx, id)
        await tx.delete(Network, { id })
        await this.events.append(tx, [networkEvent('networks.network.deleted', network)])
      }),
    )
  }

  /** What uses it names itself; an address that nobody accounts for counts all the same. */
  private async requireUnheld(tx: Tx, id: string): Promise<void> {
    await this.users.requireUnused(tx, 'network', id)
    const holdings = await holdingsOf(tx, id, SHOWN)
    if (holdings.length === 0) return
    const users = holdings.map(({ noun, id: holder, address }) => ({ noun, id: holder, name: address }))
    throw new Conflict(`addresses of network ${id} are had by others`, 'in-use', { users })
  }

  private async tell(tx: Tx, type: EventType, id: string): Promise<ShownNetwork> {
    const network = await tx.findOneByOrFail(Network, { id })
    await this.events.append(tx, [networkEvent(type, network)])
    return one(tx, network)
  }

  private async named<T>(name: string, projectId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await this.database.transaction(work)
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION)
        throw new Conflict(`a network of the project is called ${name} already`, 'name-taken')
      if (projectId && sqlState(error) === FOREIGN_KEY_VIOLATION) throw new NotFound(`project ${projectId}`)
      throw error
    }
  }
}

/** What has no address of it any more may still tell of it. */
async function told(id: string, work: () => Promise<void>): Promise<void> {
  try {
    await work()
  } catch (error) {
    if (sqlState(error) !== FOREIGN_KEY_VIOLATION) throw error
    throw new Conflict(`network ${id} is told of by something that had an address of it`, 'in-use', { users: [] })
  }
}

/** Against other changes of it. Who has an address of it may still be written. */
async function lock(tx: Tx, id: string): Promise<Network> {
  const network = await tx.findOne(Network, { where: { id }, lock: { mode: 'for_no_key_update' } })
  if (!network) throw new NotFound(`network ${id}`)
  return network
}

async function shown(tx: Tx, networks: readonly Network[]): Promise<ShownNetwork[]> {
  const ids = networks.map(({ id }) => id)
  const held = await countHeld(tx, ids)
  return networks.map((network) => ({ network, held: held.get(network.id) ?? 0 }))
}

const one = async (tx: Tx, network: Network): Promise<ShownNetwork> => (await shown(tx, [network]))[0]!

type Said = Pick<Network, 'cidr' | 'bridge' | 'uplink'>

function contradicts({ cidr, bridge, uplink }: Said, { name, why }: Neighbour): Conflict {
  const reasons: Record<Neighbour['why'], string> = {
    overlaps: `network ${name} has addresses of ${cidr} on ${bridge === null ? 'hosts themselves' : `bridge ${bridge}`}`,
    differs: `network ${name} makes bridge ${bridge} in another way, or of another uplink`,
    uplink: `network ${name} gives ${uplink} to another bridge`,
  }
  return new Conflict(reasons[why], 'network-overlaps', { network: name })
}
