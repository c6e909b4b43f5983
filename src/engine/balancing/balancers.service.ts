import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import { type Caller, requireInProject, visibleProjects } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, Invalid, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import { isPending, type ProvisioningStatus } from '../platform/provisioning.js'
import { BalancerChanges } from './balancer-changes.js'
import { BalancerClaims } from './balancer-claims.js'
import { BalancerCreation } from './balancer-creation.js'
import { BalancerOffers } from './balancer-offers.js'
import { BalancerPlacement } from './balancer-placement.js'
import { HOLDER_NOUN, type LoadBalancer } from './load-balancer.entity.js'
import { isLeaving } from './moves/move.queries.js'
import { emptyTree, type NewBalancer } from './new-balancer.js'
import type { Edit, Tree } from './tree.js'
import { type Loaded, loadBalancer, lockBalancer, networkFrom } from './tree.queries.js'
import { isUnchanged } from './tree-changes.js'

export type Face = 'native' | 'octavia'

export interface ChangeOptions {
  readonly ifMatch?: IfMatch | null
  /** A change to a pending balancer raises its generation instead of being refused. */
  readonly coalesce?: boolean
  /** As Octavia has it, only what is ACTIVE may be changed, and what is pending not even be deleted. */
  readonly face: Face
}

const UNIQUE_VIOLATION = '23505'

/** Load balancers as intent: every change of either face is an edit of the whole, under one lock (docs/adr/0049, 0050). */
@Injectable()
export class Balancers {
  constructor(
    private readonly database: Database,
    private readonly addresses: NetworkAddresses,
    private readonly placement: BalancerPlacement,
    private readonly offers: BalancerOffers,
    private readonly claims: BalancerClaims,
    private readonly creation: BalancerCreation,
    private readonly changes: BalancerChanges,
  ) {}

  /** @throws Conflict `no-room`, `address-taken`, `network-full`, `quota-exceeded`; whatever the edit throws */
  async create(caller: Caller, wanted: NewBalancer, _options: ChangeOptions): Promise<Tree> {
    const projectId = chosenProject(caller, wanted.projectId ?? undefined)
    if (!projectId) throw projectMissing()
    const atOnce = await this.creation.atOnce(projectId, wanted)
    if (atOnce) return atOnce
    return this.database.transaction((tx) => this.createWithin(tx, projectId, wanted))
  }

  /** The same as it is changes nothing. The generation of what is returned holds the change. */
  async change(caller: Caller, loadBalancerId: string, edit: Edit, options: ChangeOptions): Promise<Tree> {
    return this.locked(caller, loadBalancerId, async (tx, loaded) => {
      const { loadBalancer } = loaded.tree
      requireMatch(options.ifMatch ?? null, loadBalancer.generation)
      requireChangeable(loadBalancer, options)
      const after = edit(loaded.tree)
      return isUnchanged(loaded.tree, after) ? loaded.tree : this.claims.revive(tx, loaded, after)
    })
  }

  /** On the native face never refused for its state, and asked for twice is one (L9). */
  async delete(
    caller: Caller,
    loadBalancerId: string,
    options: ChangeOptions & { readonly cascade: boolean },
  ): Promise<LoadBalancer> {
    return this.locked(caller, loadBalancerId, async (tx, loaded) => {
      const { loadBalancer, listeners, pools } = loaded.tree
      requireMatch(options.ifMatch ?? null, loadBalancer.generation)
      if (options.face === 'octavia') requireStatus(loadBalancer, ['ACTIVE', 'ERROR'])
      if (loadBalancer.provisioningStatus === 'PENDING_DELETE') return loadBalancer
      if (!options.cascade && listeners.length + pools.length > 0) throw hasParts(loaded.tree)
      return this.claims.remove(tx, loaded)
    })
  }

  /** Whatever has failed is asked for again: to be as it is wanted, or to be gone. */
  async reset(caller: Caller, loadBalancerId: string): Promise<Tree> {
    return this.locked(caller, loadBalancerId, async (tx, loaded) => {
      requireStatus(loaded.tree.loadBalancer, ['ERROR'])
      if (!(await isLeaving(tx, loaded.tree.loadBalancer))) return this.claims.revive(tx, loaded, loaded.tree)
      return { ...loaded.tree, loadBalancer: await this.claims.remove(tx, loaded) }
    })
  }

  /** @throws NotFound also for another project's */
  async require(caller: Caller, loadBalancerId: string, tx?: Tx): Promise<Tree> {
    const read = (within: Tx) => loadBalancer(within, loadBalancerId)
    const loaded = tx ? await read(tx) : await this.database.statement(read)
    if (!loaded) throw notThere(loadBalancerId)
    requireInProject(caller, loaded.tree.loadBalancer.projectId, 'viewer', `load balancer ${loadBalancerId}`)
    return loaded.tree
  }

  /**
   * The balancer once this generation, or a later one, has ended; after the time as it is then.
   * @throws NotFound also when it goes meanwhile
   */
  async settled(caller: Caller, loadBalancerId: string, generation: number, timeoutMs: number): Promise<Tree> {
    const hasEnded = ({ loadBalancer }: Tree) =>
      !isPending(loadBalancer.provisioningStatus) || (loadBalancer.goodGeneration ?? 0) >= generation
    await this.changes.until(loadBalancerId, timeoutMs, async () =>
      hasEnded(await this.require(caller, loadBalancerId)),
    )
    return this.require(caller, loadBalancerId)
  }

  private async createWithin(tx: Tx, projectId: string, wanted: NewBalancer): Promise<Tree> {
    const id = wanted.id ?? randomUUID()
    const { provider: asked, labels } = await this.offers.ask(tx, wanted)
    const { device, provider } = await this.placement.place(tx, { provider: asked, labels })
    const claim = { networkId: wanted.networkId, address: wanted.vipAddress ?? null, projectId }
    const { address, network } = await this.addresses.claim(tx, { ...claim, holder: { noun: HOLDER_NOUN, id } })
    const { hostId, id: deviceId } = device
    const empty = emptyTree(wanted, { id, projectId, provider, deviceId, hostId, vipAddress: address })
    return this.claims.make(tx, empty, wanted.build(empty), {
      network: networkFrom(this.addresses.intentOf(network)),
      device,
    })
  }

  /** The work has the balancer to itself, and sees all that was done before. */
  private async locked<T>(caller: Caller, id: string, work: (tx: Tx, loaded: Loaded) => Promise<T>): Promise<T> {
    try {
      return await this.database.transaction(async (tx) => {
        const projectId = await lockBalancer(tx, id, visibleProjects(caller))
        if (projectId === null) throw notThere(id)
        requireInProject(caller, projectId, 'operator', `load balancer ${id}`)
        const loaded = await loadBalancer(tx, id)
        if (!loaded) throw notThere(id)
        return work(tx, loaded)
      })
    } catch (error) {
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error
      throw new Conflict(`something of the same kind and key is on load balancer ${id} already`)
    }
  }
}

const notThere = (id: string) => new NotFound(`load balancer ${id}`)

function hasParts({ loadBalancer, listeners, pools }: Tree): Invalid {
  const message = `it has ${listeners.length} listeners and ${pools.length} pools, which go with it only by cascade=true`
  return new Invalid(`load balancer ${loadBalancer.id} is not empty`, [{ field: 'cascade', message }])
}

function requireChangeable(row: LoadBalancer, { face, coalesce }: ChangeOptions): void {
  if (face === 'octavia') requireStatus(row, ['ACTIVE'])
  else if (!coalesce) requireStatus(row, ['ACTIVE', 'ERROR'])
  else requireStatus(row, ['ACTIVE', 'ERROR', 'PENDING_CREATE', 'PENDING_UPDATE'])
}

function requireStatus({ id, provisioningStatus }: LoadBalancer, allowed: readonly ProvisioningStatus[]): void {
  if (allowed.includes(provisioningStatus)) return
  throw new Conflict(
    `load balancer ${id} is ${provisioningStatus}`,
    isPending(provisioningStatus) ? 'pending' : 'conflict',
    { provisioningStatus, allowed },
  )
}
