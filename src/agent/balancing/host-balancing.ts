import type { VipPlaces } from '../networks/vip-place.js'
import type { BalancingDevice } from './devices.js'

/** All that makes balancers on a host: the devices that its agent reaches, and where VIPs of networks are put. */
export interface HostBalancing {
  readonly devices: readonly BalancingDevice[]
  /** Null: this host has no networks to put a VIP on. */
  readonly places: VipPlaces | null
}
