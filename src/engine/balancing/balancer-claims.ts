import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { balancerSubject } from '../../wire/commands.js'
import { supersede } from '../commands/commands.queries.js'
import { Commands } from '../commands/commands.service.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { Quarantine } from '../hosts/quarantine.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { Quotas } from '../identity/quotas.js'
import type { Tx } from '../platform/database.js'
import { isPending } from '../platform/provisioning.js'
import { Settings } from '../platform/settings.js'
import { BalancerIntents, type Whereabouts } from './balancer-intents.js'
import { eventOf } from './balancing.events.js'
import type { BalancingDevice } from './balancing-device.entity.js'
import { deviceIntent } from './intent.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import { requireMemberNetworks } from './member-networks.js'
import { writeReturn } from './moves/move.queries.js'
import type { PartNoun } from './part-tables.js'
import type { Tree } from './tree.js'
import { insertBalancers, keepGeneration, type Loaded, writeBalancer, writeParts } from './tree.queries.js'
import { type Changes, changesBetween, newMembers, storedTree } from './tree-changes.js'

/** What is to go from a host, whether there is a row of it or not. */
export interface Going extends Pick<LoadBalancer, 'id' | 'hostId' | 'generation' | 'provider'> {
  readonly device: Pick<BalancingDevice, 'kind' | 'name' | 'epoch'>
  readonly projectId?: string | null
  readonly commandId?: string
}

/**
 * The three claims of a balancer, each with its command: be made, be otherwise, be gone (L8). The balancer's row is the lock of
 * all under it; whoever calls has it (docs/adr/0050).
 */
@Injectable()
export class BalancerClaims {
  constructor(
    private readonly commands: Commands,
    private readonly quotas: Quotas,
    private readonly tombstones: Tombstones,
    private readonly quarantine: Quarantine,
    private readonly intents: BalancerIntents,
    private readonly settings: Settings,
    private readonly events: Events,
  ) {}

  /** @param empty its row, and nothing under it */
  async make(tx: Tx, empty: Tree, built: Tree, place: Whereabouts): Promise<Tree> {
    const changes = changesBetween(empty, built, empty.loadBalancer.generation)
    await requireMemberNetworks(tx, empty.loadBalancer.projectId, newMembers(changes))
    await this.quotas.claim(tx, empty.loadBalancer.projectId, { loadBalancers: 1, ...countMore(changes) })
    const { tree, command } = await this.intents.intend(tx, changes.tree, place, 'balancing.balancer.created')
    await insertBalancers(tx, [{ row: tree.loadBalancer, tree: storedTree(tree) }])
    await writeParts(tx, changes, tree.loadBalancer.generation)
    await this.commands.enqueue(tx, command)
    return tree
  }

  /**
   * @param above what its generation must exceed beside its own
   * @returns the tree as it is to be, under the generation that holds the change
   */
  async change(tx: Tx, { tree: before, network, device }: Loaded, after: Tree, above = 0): Promise<Tree> {
    const old = before.loadBalancer
    const generation = Math.max(old.generation, above) + 1
    const changes = changesBetween(before, after, generation)
    await requireMemberNetworks(tx, old.projectId, newMembers(changes))
    const more = countMore(changes)
    if (Object.values(more).some((count) => count > 0)) await this.quotas.claim(tx, old.projectId, more)
    const { name, description, adminStateUp, tags } = after.loadBalancer
    const provisioningStatus = old.provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'
    const wanted = { ...old, name, description, adminStateUp, tags, generation, provisioningStatus } as const
    const { tree, command } = await this.intents.intend(
      tx,
      { ...changes.tree, loadBalancer: wanted },
      { network, device },
      'balancing.balancer.updated',
    )
    await writeParts(tx, changes, generation)
    await writeBalancer(tx, tree.loadBalancer)
    await keepGeneration(tx, old.id, generation, storedTree(tree))
    if (old.movingFromDeviceId) return this.tellLater(tx, old, tree)
    await this.commands.enqueue(tx, command)
    await this.endBefore(tx, old, tree.loadBalancer.commandId)
    return tree
  }

  /** What it leaves has not let go of it yet: its device is told of all changes at once, when it has. */
  private async tellLater(tx: Tx, { commandId }: LoadBalancer, tree: Tree): Promise<Tree> {
    const loadBalancer = { ...tree.loadBalancer, commandId }
    await writeBalancer(tx, loadBalancer)
    await this.events.append(tx, [eventOf('balancing.balancer.updated', loadBalancer)])
    return { ...tree, loadBalancer }
  }

  /** As `change`; what was evidence that it should go no longer is. */
  async revive(tx: Tx, loaded: Loaded, after: Tree): Promise<Tree> {
    const { id, hostId, provisioningStatus } = loaded.tree.loadBalancer
    if (provisioningStatus !== 'ERROR') return this.change(tx, loaded, after)
    const subject = balancerSubject(id)
    const lifted = await this.tombstones.lift(tx, hostId, subject)
    return this.change(tx, loaded, after, Math.max(lifted, await this.quarantine.release(tx, hostId, subject)))
  }

  /** The tombstone is the evidence for whatever happens to its host meanwhile. */
  async remove(tx: Tx, { tree, device: last }: Pick<Loaded, 'tree' | 'device'>, above = 0): Promise<LoadBalancer> {
    const { row: old, device } = await atHome(tx, tree.loadBalancer, last)
    const generation = Math.max(old.generation, above) + 1
    const commandId = randomUUID()
    const going = {
      ...old,
      generation,
      commandId,
      provisioningStatus: 'PENDING_DELETE',
      fault: null,
      faultAt: null,
    } as const
    await this.tombstones.raise(tx, old.hostId, balancerSubject(old.id), generation)
    await writeBalancer(tx, going)
    await this.sendRemove(tx, { ...going, device }, [eventOf('balancing.balancer.deleting', going)])
    await this.endBefore(tx, old, commandId)
    return going
  }

  /** Of what has no row, nobody but the plane's own people hear. */
  async sendRemove(tx: Tx, going: Going, events: readonly EventDraft[] = []): Promise<void> {
    const { commandId, hostId, projectId = null, id: loadBalancerId, generation, provider, device } = going
    await this.commands.enqueue(tx, {
      ...(commandId ? { id: commandId } : {}),
      kind: 'balancing.remove',
      hostId,
      projectId,
      subject: balancerSubject(loadBalancerId),
      generation,
      deadlineMs: this.settings.get('balancing.deadlineMs'),
      payload: { loadBalancerId, provider, device: deviceIntent(device) },
      events,
    })
  }

  /** What is still queued is superseded by being followed; what is under way is told that it is. */
  private async endBefore(tx: Tx, { commandId, provisioningStatus }: LoadBalancer, by: string | null): Promise<void> {
    if (commandId && by && isPending(provisioningStatus)) await supersede(tx, commandId, by)
  }
}

/** What is still to leave another device is there, and goes from there. */
async function atHome(tx: Tx, row: LoadBalancer, device: BalancingDevice) {
  if (row.movingFromDeviceId === null) return { row, device }
  const home = await writeReturn(tx, row.id)
  return { row: { ...row, deviceId: home.id, hostId: home.hostId, movingFromDeviceId: null }, device: home }
}

/** What a quota counts. What goes makes room for what comes: members are replaced at their limit too. */
const countMore = ({ made, gone }: Pick<Changes, 'made' | 'gone'>) => {
  const more = (noun: PartNoun): number => Math.max(0, made[noun].length - gone[noun].length)
  return {
    listeners: more('listeners'),
    members: more('members'),
    pools: more('pools'),
    healthMonitors: more('healthMonitors'),
    l7Policies: more('l7Policies'),
    l7Rules: more('l7Rules'),
  }
}
