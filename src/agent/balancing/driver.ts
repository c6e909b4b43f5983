import type { BalancingChecked } from '../../wire/balancing/commands.js'
import type { LoadBalancerIntent } from '../../wire/balancing/intent.js'
import type { BalancerDetail } from '../../wire/balancing/sighting.js'
import type { BalancingStatus } from '../../wire/balancing/terms.js'
import type { Fault } from '../../wire/session.js'

/** What a driver is given: a balancer whole, and the keys of its certificates, which are in no log, argv or fault. */
export interface WantedBalancer {
  readonly generation: number
  readonly balancer: LoadBalancerIntent
  readonly keys: Readonly<Record<string, string>>
  /** Of a device that several agents reach: it refuses, as `fenced`, whoever comes with a lower one than it has seen. */
  readonly deviceEpoch?: number
}

/** `PENDING`: the device goes on with it by itself, and `progress` tells when it is done (L5). */
export type Progress = 'COMPLETED' | 'PENDING'

export interface Sighting {
  /** Of the whole. */
  readonly status: BalancingStatus
  readonly fault: Fault | null
  readonly detail: BalancerDetail
}

/**
 * One vendor's way to be a load balancer (L5). Each step says a state and may be repeated, after a crash at any moment too. What
 * is refused leaves what is in force as it was, and throws `FaultError` with the device's own words.
 */
export interface BalancerDriver {
  /** What of this host stands in the way, by name; null when nothing does. Asked often. */
  obstacle(): Promise<Fault | null>
  apply(wanted: WantedBalancer, signal: AbortSignal): Promise<Progress>
  /** Of what was answered PENDING. @throws FaultError when the device has given it up */
  progress(balancerId: string): Promise<Progress>
  /** Nothing of it is left, whatever was. */
  remove(balancerId: string, signal: AbortSignal, deviceEpoch?: number): Promise<Progress>
  /** Renders and has the device judge it, and changes nothing. */
  check(wanted: WantedBalancer): Promise<BalancingChecked>
  /** What is seen of it now. Null: there is none. A process that has died is started again by the way. */
  observe(wanted: WantedBalancer): Promise<Sighting | null>
  /** Ids of all that it has, also of those that nobody has told this agent of. */
  list(): Promise<readonly string[]>
  /** The agent ends: what it does for its balancers by itself ends with it, and they go on as they are. */
  close?(): Promise<void>
}
