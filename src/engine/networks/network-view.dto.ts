import { type Caller, mayInProject } from '../platform/caller.js'
import { addressStates } from './network.dto.js'
import type { Network } from './network.entity.js'
import type { NetworkAddress } from './network-address.entity.js'

export class AddressRangeView {
  /** @example 192.0.2.100 */
  from!: string
  /** @example 192.0.2.199 */
  to!: string
}

/** Of the ranges. */
export class AddressCountsView {
  /** @example 253 */
  total!: number
  /** @example 250 */
  free!: number
}

export class NetworkView {
  /** @example 5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f */
  id!: string
  /**
   * Null: things of every project may have addresses of it.
   * @example null
   */
  projectId!: string | null
  /** @example public */
  name!: string
  /** @example What the internet reaches */
  description!: string
  /** @example 192.0.2.0/24 */
  cidr!: string
  /** @example 192.0.2.1 */
  gateway!: string | null
  ranges!: AddressRangeView[]
  addresses!: AddressCountsView
  /**
   * Null: its addresses are the hosts' own.
   * @example br-public
   */
  bridge!: string | null
  /** @example true */
  createBridge!: boolean
  /** @example eth1 */
  uplink!: string | null
  /** @example 120 */
  vlan!: number | null
  /** @example false */
  hostIsGateway!: boolean
  /**
   * What the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export class AddressHolderView {
  /** @example load-balancer */
  noun!: string
  /** @example 9d2c4b6a-8e0f-4a1b-9c3d-5e7f8a9b0c1d */
  id!: string
}

export class NetworkAddressView {
  /** @example 192.0.2.100 */
  address!: string
  state!: (typeof addressStates)[number]
  /** Null: nobody, or a thing of a project that the caller may not see. */
  holder!: AddressHolderView | null
  /** @example 2026-01-31T12:00:00.000Z */
  since!: string | null
}

export interface ShownNetwork {
  readonly network: Network
  /** Addresses of its ranges that are had. */
  readonly held: number
}

export const viewNetwork = ({ network, held }: ShownNetwork): NetworkView => ({
  id: network.id,
  projectId: network.projectId,
  name: network.name,
  description: network.description,
  cidr: network.cidr,
  gateway: network.gateway,
  ranges: network.ranges.map(({ from, to }) => ({ from, to })),
  addresses: { total: network.size, free: network.size - held },
  bridge: network.bridge,
  createBridge: network.createBridge,
  uplink: network.uplink,
  vlan: network.vlan,
  hostIsGateway: network.hostIsGateway,
  generation: network.generation,
  createdAt: network.createdAt.toISOString(),
  updatedAt: network.updatedAt.toISOString(),
})

export const viewAddress =
  (caller: Caller) =>
  ({ address, holderNoun, holderId, projectId, since }: NetworkAddress): NetworkAddressView => {
    const shown = holderNoun !== null && holderId !== null && mayInProject(caller, projectId, 'viewer')
    return {
      address,
      state: holderId === null ? 'free' : 'held',
      holder: shown ? { noun: holderNoun, id: holderId } : null,
      since: shown ? (since?.toISOString() ?? null) : null,
    }
  }
