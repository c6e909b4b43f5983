import { Injectable } from '@nestjs/common'
import type { NetworkIntent } from '../../wire/networks.js'
import type { Caller } from '../platform/caller.js'
import type { Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { tryLowestOfMany } from './address-batch.queries.js'
import { Network } from './network.entity.js'
import { freeAddresses, type NewClaim, shareNetwork, tryAddress, tryLowest, waitForLowest } from './network.queries.js'
import { requireUsable } from './network-plan.js'
import { isVisible } from './network-visibility.js'

export interface Holder {
  /** As its events and `UsersOf` call it: `load-balancer`. */
  readonly noun: string
  readonly id: string
}

export interface AddressClaim {
  readonly networkId: string
  /** Left out or null: the lowest that is free. */
  readonly address?: string | null
  readonly holder: Holder
  /** Of the holder. Networks of other projects do not exist for it. */
  readonly projectId: string
}

export interface ClaimedAddress {
  readonly address: string
  readonly network: Network
}

/** Addresses of networks, for what needs one. All of it happens in the caller's transaction, and is undone with it. */
@Injectable()
export class NetworkAddresses {
  /**
   * Claims of one network do not wait for each other, but for the last addresses of it.
   * @throws NotFound for a network that the project may not use; Conflict `address-taken`, `network-full`; Invalid for an
   *   address that nothing can have there
   */
  async claim(tx: Tx, { networkId, address, holder, projectId }: AddressClaim): Promise<ClaimedAddress> {
    const claim: NewClaim = { networkId, projectId, ...holder }
    return address == null ? lowest(tx, claim) : asked(tx, claim, address)
  }

  /**
   * The lowest free ones, for many in one statement, and nothing else is looked into.
   * @returns for each its address; null: it has to be claimed by itself, which tells why
   */
  async claimLowest(tx: Tx, claims: readonly Omit<AddressClaim, 'address'>[]): Promise<(string | null)[]> {
    const asked = claims.map(({ networkId, projectId, holder }) => ({ networkId, projectId, ...holder }))
    const found = new Map((await tryLowestOfMany(tx, asked)).map(({ place, address }) => [place, address]))
    return claims.map((_, place) => found.get(place) ?? null)
  }

  /** All that the holder has; nothing is well, too. */
  async release(tx: Tx, holder: Holder): Promise<void> {
    await freeAddresses(tx, holder)
  }

  /** @throws NotFound also for one that the caller may not see */
  async requireNetwork(tx: Tx, caller: Caller, id: string): Promise<Network> {
    const network = await tx.findOneBy(Network, { id })
    if (!network || !isVisible(caller, network)) throw new NotFound(`network ${id}`)
    return network
  }

  /** What a host is told of it, by whatever has an address there. */
  intentOf({ id, cidr, gateway, bridge, createBridge, uplink, vlan, hostIsGateway }: Network): NetworkIntent {
    return { id, cidr, gateway, bridge, createBridge, uplink, vlan, hostIsGateway }
  }
}

async function lowest(tx: Tx, claim: NewClaim): Promise<ClaimedAddress> {
  const first = await tryLowest(tx, claim)
  const { network, address } = first.address === null ? await waitForLowest(tx, claim) : first
  if (!network) throw new NotFound(`network ${claim.networkId}`)
  if (address === null) throw new Conflict(`network ${network.name} has no address left`, 'network-full')
  return { network, address }
}

async function asked(tx: Tx, claim: NewClaim, wanted: string): Promise<ClaimedAddress> {
  const network = await shareNetwork(tx, claim)
  if (!network) throw new NotFound(`network ${claim.networkId}`)
  const address = requireUsable(network, wanted)
  if (!(await tryAddress(tx, claim, address)))
    throw new Conflict(`somebody has ${address} of network ${network.name}`, 'address-taken', { address })
  return { network, address }
}
