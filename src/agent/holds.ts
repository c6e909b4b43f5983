import type { HeldBalancer } from './balancing/held.js'
import type { HeldConnection, LeavingTarget } from './storage/held.js'
import type { Sighting } from './storage/sightings.js'

/** What a host has for the plane, and beside it. */
export interface Holds {
  readonly connections: readonly HeldConnection[]
  /** Targets that are still being let go of. */
  readonly leaving: readonly LeavingTarget[]
  /** What the kernel has connected and no id holds. */
  readonly unmanaged: readonly Sighting[]
  /** How many more of these there are than are told of. */
  readonly untold: number
  readonly balancers: readonly HeldBalancer[]
  /** Ids. */
  readonly guests: readonly string[]
}

/** Why a host cannot leave its plane; null when nothing is held. */
export function heldError({
  connections,
  balancers,
  guests,
}: Pick<Holds, 'connections' | 'balancers' | 'guests'>): string | null {
  const things = [
    ...counted(
      'storage connections',
      connections.map(({ connectionId }) => connectionId),
    ),
    ...counted(
      'load balancers',
      balancers.map(({ loadBalancerId }) => loadBalancerId),
    ),
    ...counted('guests', guests),
  ]
  return things.length === 0 ? null : `this host still holds ${things.join(', and ')}`
}

const counted = (what: string, ids: readonly string[]): string[] =>
  ids.length === 0 ? [] : [`${ids.length} ${what}: ${ids.slice(0, 10).join(', ')}`]
