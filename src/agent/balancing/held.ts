import type { BalancerDetail } from '../../wire/balancing/sighting.js'
import type { BalancingStatus } from '../../wire/balancing/terms.js'
import { balancerSubject } from '../../wire/commands.js'
import { digestOf } from '../../wire/digest.js'
import type { Fault, InventoryItem, Observation } from '../../wire/session.js'
import type { StoredBalancer, Version } from './state.js'

/** What is seen of a balancer. */
export interface Seen {
  readonly status: BalancingStatus
  readonly fault: Fault | null
  readonly detail: BalancerDetail
}

export const nothingSeen: Seen = { status: 'UNKNOWN', fault: null, detail: { statuses: {}, statistics: {} } }

/** A balancer on this host, for `agent status`. */
export interface HeldBalancer {
  readonly loadBalancerId: string
  readonly name: string
  readonly provider: string
  readonly device: string
  readonly vip: string
  /** 0: nothing of it is known to be in force. */
  readonly generation: number
  readonly status: BalancingStatus
  readonly leaving: boolean
  /** Its VIP is down until the plane has said it again. */
  readonly withdrawn: boolean
  readonly fault: Fault | null
}

export interface HoldView {
  readonly id: string
  readonly stored: StoredBalancer
  readonly seen: Seen
  readonly withdrawn: boolean
}

/** What the plane may take for granted: null where it has to say it again, or to say that it goes. */
export const confirmed = ({ stored, withdrawn }: Pick<HoldView, 'stored' | 'withdrawn'>): Version | null =>
  withdrawn || stored.leaving || stored.inForce?.generation === 0 ? null : stored.inForce

export function heldBalancer(view: HoldView): HeldBalancer | null {
  const { id, stored, seen, withdrawn } = view
  const version = stored.inForce ?? stored.trying
  if (version === null) return null
  const { balancer, provider, device } = version
  return {
    loadBalancerId: id,
    name: balancer.name,
    provider,
    device: device.name,
    vip: balancer.vip.address,
    generation: confirmed(view)?.generation ?? 0,
    status: seen.status,
    leaving: stored.leaving,
    withdrawn,
    fault: seen.fault,
  }
}

/** Keys are in no digest: their change is a generation. */
export function inventoryItemOf(view: HoldView): InventoryItem | null {
  const held = heldBalancer(view)
  if (held === null) return null
  const version = confirmed(view)
  const { name, provider, device, vip, status, fault } = held
  return {
    subject: balancerSubject(view.id),
    generation: held.generation,
    status,
    origin: 'plane',
    digest: version === null ? '' : digestOf(version.balancer),
    fault,
    detail: { name, provider, device, vip, ...view.seen.detail },
  }
}

/** What a device has and nobody has told this agent of. */
export const unknownItem = (id: string, device: string, provider: string): InventoryItem => ({
  subject: balancerSubject(id),
  generation: 0,
  status: 'UNKNOWN',
  origin: 'plane',
  digest: '',
  fault: null,
  detail: { provider, device },
})

export const observationOf = (id: string, generation: number, { status, fault, detail }: Seen): Observation => ({
  subject: balancerSubject(id),
  generation,
  status,
  fault,
  detail: { ...detail },
})
