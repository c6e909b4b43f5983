import type { VipIntent } from '../../wire/balancing/intent.js'

/** Where a program that serves a VIP has to run. */
export interface VipPlace {
  /** The network namespace by its name; null: the host's own. */
  readonly namespace: string | null
  /** What comes before a program's name so that it runs there: `['ip', 'netns', 'exec', 'kl-…']`, or nothing. */
  readonly enter: readonly string[]
}

/** Addresses of balancers on this host. Each call says a state and may be repeated; throws `FaultError`. */
export interface VipPlaces {
  /** The place is there, with the VIP up on the network and announced. */
  ensure(balancerId: string, vip: VipIntent): Promise<VipPlace>
  /** The VIP answers nobody any more; the place stays, and `ensure` brings it back. */
  takeDown(balancerId: string): Promise<void>
  /** How long a VIP of a network stays up from now on, from when it comes up or is renewed, whatever becomes of the agent. */
  lastFor(lifeMs: number): void
  /** @returns whether it was up; one that is not, is not by this. */
  renew(balancerId: string): Promise<boolean>
  /** Nothing of it is left, nor of a bridge of our own making that had no other use. */
  remove(balancerId: string): Promise<void>
  /** Those that there are, whoever made them. */
  list(): Promise<readonly string[]>
}
