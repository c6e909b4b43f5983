import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { VIP_LEASES } from '../../../wire/balancing/providers.js'
import { balancerSubject, subjectKey } from '../../../wire/commands.js'
import { supersede } from '../../commands/commands.queries.js'
import type { EndedCommand } from '../../commands/settlers.js'
import type { EventDraft } from '../../events/events.service.js'
import { Tombstones } from '../../hosts/tombstones.service.js'
import { type Caller, mayInPlane, requireInProject, visibleProjects } from '../../platform/caller.js'
import { Database, prepared, type Tx } from '../../platform/database.js'
import { Conflict, NotFound } from '../../platform/errors.js'
import { type IfMatch, requireMatch } from '../../platform/etag.js'
import { isPending } from '../../platform/provisioning.js'
import { ReplicaIdentity } from '../../platform/replica-identity.js'
import { Settings } from '../../platform/settings.js'
import { BalancerClaims } from '../balancer-claims.js'
import { BalancerOffers } from '../balancer-offers.js'
import { BalancerPlacement } from '../balancer-placement.js'
import { eventOf } from '../balancing.events.js'
import type { LoadBalancer } from '../load-balancer.entity.js'
import type { Tree } from '../tree.js'
import { type Loaded, loadBalancer, lockBalancer } from '../tree.queries.js'
import {
  isConnected,
  isLeaving,
  listArrivals,
  writeArrival,
  writeFault,
  writeMove,
  writeReturn,
} from './move.queries.js'

export interface FailoverOptions {
  readonly ifMatch?: IfMatch | null
  /** Octavia's clients expect it to work with one host as well: it is then made anew where it is. */
  readonly face: 'native' | 'octavia'
}

/** Longer than any host is silent: 100 years. */
const ENDLESS_MS = 3_155_760_000_000

/**
 * Balancers on their way from one device to another. What is left behind has to confirm that it has let go, or to be silent for
 * longer than its agent keeps VIPs up without a session: only then the other is told of the balancer (docs/adr/0052). Where a
 * balancer stands on that way is in its row and in the tombstone of the device that it leaves.
 */
@Injectable()
export class BalancerMoves {
  constructor(
    private readonly database: Database,
    private readonly placement: BalancerPlacement,
    private readonly offers: BalancerOffers,
    private readonly claims: BalancerClaims,
    private readonly tombstones: Tombstones,
    private readonly settings: Settings,
    private readonly replica: ReplicaIdentity,
  ) {}

  /** @throws Conflict `pending`, `no-room` */
  async failover(caller: Caller, id: string, { ifMatch, face }: FailoverOptions): Promise<Tree> {
    return this.database.transaction(async (tx) => {
      const projectId = await lockBalancer(tx, id, visibleProjects(caller))
      const loaded = projectId === null ? null : await loadBalancer(tx, id)
      if (projectId === null || !loaded) throw new NotFound(`load balancer ${id}`)
      requireInProject(caller, projectId, 'operator', `load balancer ${id}`)
      requireMatch(ifMatch ?? null, loaded.tree.loadBalancer.generation)
      await requireMovable(tx, loaded.tree.loadBalancer)
      if (!mayInPlane(caller, 'operator')) await requireAgentNotStopped(tx, loaded.tree.loadBalancer)
      const moved = await this.depart(tx, loaded).catch((error: unknown) => {
        if (face === 'octavia' && error instanceof Conflict && error.type === 'no-room') return null
        throw error
      })
      return moved ? this.arriveIfFree(tx, moved) : this.claims.revive(tx, loaded, loaded.tree)
    })
  }

  /**
   * It is told to go where it is, and is from now on another device's, which is told nothing yet. The caller holds its lock.
   * @throws Conflict `no-room`
   */
  async depart(tx: Tx, { tree, device }: Loaded): Promise<LoadBalancer> {
    const old = tree.loadBalancer
    const labels = await this.offers.labelsOf(tx, old.availabilityZone)
    const asked = { provider: old.provider, labels, exceptHostIds: [old.hostId] }
    const { device: next } = await this.placement.place(tx, asked)
    const [generation, commandId] = [old.generation + 1, randomUUID()]
    const provisioningStatus = old.provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'
    const going = { ...old, generation, commandId, provisioningStatus } as const
    await this.tombstones.raise(tx, old.hostId, balancerSubject(old.id), generation)
    await writeMove(tx, going, next)
    await this.claims.sendRemove(tx, { ...going, device }, [
      eventOf('balancing.balancer.moving', { ...going, hostId: next.hostId }, { from: old.hostId, to: next.hostId }),
    ])
    if (old.commandId && isPending(old.provisioningStatus)) await supersede(tx, old.commandId, commandId)
    return { ...going, deviceId: next.id, hostId: next.hostId, movingFromDeviceId: old.deviceId }
  }

  /** What it leaves is out of the way: its device is told of it. The caller holds its lock. */
  async arrive(tx: Tx, id: string): Promise<Tree | null> {
    const loaded = await loadBalancer(tx, id)
    if (!loaded || loaded.tree.loadBalancer.movingFromDeviceId === null) return null
    await writeArrival(tx, id)
    const here = { ...loaded.tree, loadBalancer: { ...loaded.tree.loadBalancer, movingFromDeviceId: null } }
    const above = await this.tombstones.lift(tx, here.loadBalancer.hostId, balancerSubject(id))
    return this.claims.change(tx, { ...loaded, tree: here }, here, above)
  }

  /** Called by the settler of `balancing.remove`, when it has confirmed tombstones. */
  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const ids = ended.map(({ subject }) => subjectKey(subject))
    for (const id of await listArrivals(tx, this.graceMs, ids.length, ids)) {
      if ((await lockBalancer(tx, id, null)) !== null) await this.arrive(tx, id)
    }
    const drafts: EventDraft[] = []
    for (const command of ended) {
      if (command.state === 'failed' || command.state === 'expired') drafts.push(...(await this.stay(tx, command)))
    }
    return drafts
  }

  /** How long a host must be without a session. Endless for a replica that was itself away: every grace starts anew. */
  get graceMs(): number {
    const graceMs = this.settings.get('balancing.moveGraceMs')
    return this.replica.unbrokenMs < graceMs ? ENDLESS_MS : graceMs
  }

  private async arriveIfFree(tx: Tx, going: LoadBalancer): Promise<Tree> {
    const [free] = await listArrivals(tx, this.graceMs, 1, [going.id])
    const arrived = free ? await this.arrive(tx, free) : null
    const tree = arrived ?? (await loadBalancer(tx, going.id))?.tree
    if (!tree) throw new NotFound(`load balancer ${going.id}`)
    return tree
  }

  /** One that is away may come back and confirm, and after the grace nobody waits for it. */
  private async stay(tx: Tx, { id: commandId, hostId, subject, fault }: EndedCommand): Promise<EventDraft[]> {
    const id = subjectKey(subject)
    if ((await lockBalancer(tx, id, null)) === null) return []
    const row = (await loadBalancer(tx, id))?.tree.loadBalancer
    if (row?.commandId !== commandId || !(await isConnected(tx, hostId))) return []
    return this.giveUp(tx, row, fault?.message ?? 'it did not answer in time')
  }

  /** Its host is there and has not let go of it: it stays where it is, in ERROR. The caller holds its lock. */
  async giveUp(tx: Tx, row: LoadBalancer, words: string): Promise<EventDraft[]> {
    if (row.movingFromDeviceId === null) return []
    const { hostId } = await writeReturn(tx, row.id)
    await this.tombstones.lift(tx, hostId, balancerSubject(row.id))
    const fault = { type: 'not-moved', message: `its host has not let go of it: ${words}` }
    await writeFault(tx, row.id, fault)
    return [eventOf('balancing.balancer.failed', { ...row, hostId, provisioningStatus: 'ERROR' }, { fault })]
  }
}

/**
 * An agent that was stopped, on a host whose kernel takes no VIPs down, leaves them up. Whoever runs the plane may know that the
 * machine is off; others cannot (docs/adr/0053).
 */
async function requireAgentNotStopped(tx: Tx, { id, hostId }: LoadBalancer): Promise<void> {
  const sql = `SELECT FROM hosts WHERE id = $1 AND NOT connected AND status <> 'NonResponsive' AND NOT $2 = ANY(capabilities)`
  if ((await prepared(tx, 'balancing_agent_stopped', sql, [hostId, VIP_LEASES])).length > 0)
    throw new Conflict(
      `the agent of load balancer ${id} was stopped, and its VIP may be up there: start the agent first`,
    )
}

async function requireMovable(tx: Tx, row: LoadBalancer): Promise<void> {
  const { id, provisioningStatus } = row
  const allowed = ['ACTIVE', 'ERROR']
  if (!allowed.includes(provisioningStatus)) {
    const type = isPending(provisioningStatus) ? 'pending' : 'conflict'
    throw new Conflict(`load balancer ${id} is ${provisioningStatus}`, type, { provisioningStatus, allowed })
  }
  if (await isLeaving(tx, row)) throw new Conflict(`load balancer ${id} is to go: its deletion has failed`)
}
