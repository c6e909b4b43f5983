import type { HostBalancing } from '../../../src/agent/balancing/host-balancing.js'
import type { LoadBalancerIntent } from '../../../src/wire/balancing/intent.js'
import type { Provider } from '../../../src/wire/balancing/providers.js'

/** One life of an agent's drivers on a device. */
export interface BalancingLife extends HostBalancing {
  /** It has come to where it halts. */
  readonly halted: Promise<void>
}

/** A device of load balancers under the contract, real or simulated, and what its clients meet. */
export interface BalancingSubject {
  readonly provider: Provider
  readonly device: string
  /** Of the keeper. */
  readonly stateDir: string
  /** @param stopAt the process comes to a halt at its so-manieth step on the device; null: it does not */
  open(stopAt: number | null): Promise<BalancingLife>
  /** A balancer that this device can carry, with one member of this name. */
  leadingTo(member: 'one' | 'two', like?: LoadBalancerIntent): LoadBalancerIntent
  /** The name of the member that answers a client; null: nobody does. */
  ask(balancer: LoadBalancerIntent): Promise<string | null>
  close(): Promise<void>
}

export type MakeBalancingSubject = () => Promise<BalancingSubject>
