import { Injectable } from '@nestjs/common'
import type { ListenerStatistics } from '../../../wire/balancing/sighting.js'
import { type Caller, visibleProjects } from '../../platform/caller.js'
import { NotFound } from '../../platform/errors.js'
import { Balancers } from '../balancers.service.js'
import { DescribedInput } from '../balancing-part.dto.js'
import { fullTree } from '../edits/full-tree.js'
import { updateLoadBalancer } from '../edits/load-balancers.js'
import type { Tree } from '../tree.js'
import { OctaviaChanging } from './changing.service.js'
import { checked } from './checked.js'
import { readInput, refused } from './input.js'
import { loadBalancerInput } from './inputs.js'
import { notAllowed } from './keeper.js'
import { fieldsOf } from './list-query.js'
import { NewOctaviaBalancer } from './new-balancer.dto.js'
import { pendingAs } from './parts.service.js'
import { type Asked, OctaviaReading, picked } from './reading.service.js'
import { listeners, loadBalancers } from './resources.js'
import { statusTree, wholeTree } from './trees.js'

/** What may be changed of a balancer itself. */
class BalancerChange extends DescribedInput {}

/** Load balancers, as the Octavia API has them. */
@Injectable()
export class OctaviaBalancers {
  constructor(
    private readonly reading: OctaviaReading,
    private readonly changing: OctaviaChanging,
    private readonly balancers: Balancers,
  ) {}

  list(caller: Caller, asked: Asked) {
    return this.reading.list(caller, loadBalancers, asked)
  }

  async get(caller: Caller, id: string, { query }: Asked) {
    return { loadbalancer: picked(await this.reading.show(caller, loadBalancers, id), fieldsOf(query)) }
  }

  /** With all that the body has under it, in one. */
  async create(caller: Caller, body: unknown) {
    const input = await checked(NewOctaviaBalancer, readInput(loadBalancerInput, 'loadbalancer', body, 'create'))
    const { listeners: itsListeners, pools: itsPools, projectId } = input
    if (projectId && visibleProjects(caller, [projectId])?.length === 0) throw notAllowed()
    const wanted = {
      ...(input.projectId ? { projectId: input.projectId } : {}),
      networkId: networkOf(input),
      vipAddress: input.vipAddress ?? null,
      provider: input.provider ?? null,
      flavorId: input.flavorId ?? null,
      availabilityZone: input.availabilityZone ?? null,
      name: input.name ?? '',
      description: input.description ?? '',
      adminStateUp: input.adminStateUp ?? true,
      tags: input.tags ?? [],
      build: fullTree({ listeners: itsListeners ?? [], pools: wholePools(input) }),
    }
    const tree = await this.balancers.create(caller, wanted, { face: 'octavia' }).catch(asBadInput)
    const row = pendingAs(await this.reading.show(caller, loadBalancers, tree.loadBalancer.id), 'PENDING_CREATE')
    return { loadbalancer: itsListeners || itsPools ? await wholeTree(this.reading, row) : row }
  }

  async update(caller: Caller, id: string, body: unknown) {
    const change = await checked(BalancerChange, readInput(loadBalancerInput, 'loadbalancer', body, 'update'))
    const { loadBalancerId } = await this.reading.require(caller, loadBalancers, id)
    const tree = await this.changing.change(caller, loadBalancerId, updateLoadBalancer(change))
    const row = await this.reading.show(caller, loadBalancers, id)
    return { loadbalancer: pendingAs(row, tree.loadBalancer.provisioningStatus) }
  }

  async delete(caller: Caller, id: string, cascade: boolean): Promise<void> {
    const { loadBalancerId } = await this.reading.require(caller, loadBalancers, id)
    await this.changing.delete(caller, loadBalancerId, cascade)
  }

  async failover(caller: Caller, id: string): Promise<void> {
    const { loadBalancerId } = await this.reading.require(caller, loadBalancers, id)
    await this.changing.failover(caller, loadBalancerId)
  }

  async status(caller: Caller, id: string) {
    return { statuses: { loadbalancer: statusTree(await this.require(caller, id)) } }
  }

  async statistics(caller: Caller, id: string) {
    const { loadBalancer } = await this.require(caller, id)
    return { stats: summed(Object.values(loadBalancer.statistics)) }
  }

  async statisticsOfListener(caller: Caller, id: string) {
    const { loadBalancerId } = await this.reading.require(caller, listeners, id)
    const { loadBalancer } = await this.require(caller, loadBalancerId)
    const own = loadBalancer.statistics[id.toLowerCase()]
    return { stats: summed(own ? [own] : []) }
  }

  private async require(caller: Caller, id: string): Promise<Tree> {
    const { loadBalancerId } = await this.reading.require(caller, loadBalancers, id)
    return this.balancers.require(caller, loadBalancerId)
  }
}

/** A network here has one subnet, of its own id; a port cannot be brought along. */
function networkOf({ vipSubnetId, vipNetworkId, vipPortId }: NewOctaviaBalancer): string {
  if (vipPortId) throw refused('vip_port_id', `Port ${vipPortId} not found`)
  const id = vipSubnetId ?? vipNetworkId
  if (!id) throw refused('', 'VIP must contain one of: vip_port_id, vip_network_id, vip_subnet_id')
  if (vipSubnetId && vipNetworkId && vipSubnetId !== vipNetworkId)
    throw refused('vip_subnet_id', `Subnet ${vipSubnetId} is not of network ${vipNetworkId}`)
  return id
}

/** A pool of the list is whole: a name alone is for what leads to it. */
function wholePools({ pools }: NewOctaviaBalancer) {
  return (pools ?? []).map(({ protocol, lbAlgorithm, ...pool }, index) => {
    if (!protocol || !lbAlgorithm) throw refused(`pools[${index}]`, 'Mandatory field missing: protocol, lb_algorithm')
    return { ...pool, protocol, lbAlgorithm }
  })
}

/** What the body refers to and is not there makes the body wrong: it is not what the path names. */
function asBadInput(error: unknown): never {
  if (error instanceof NotFound) throw refused('', error.message.replace(/ does not exist$/, ' not found'))
  throw error
}

const summed = (statistics: readonly ListenerStatistics[]) => {
  const sum = (of: (one: ListenerStatistics) => number) => statistics.reduce((total, one) => total + of(one), 0)
  return {
    active_connections: sum((one) => one.activeConnections),
    total_connections: sum((one) => one.totalConnections),
    bytes_in: sum((one) => one.bytesIn),
    bytes_out: sum((one) => one.bytesOut),
    request_errors: sum((one) => one.requestErrors),
  }
}
