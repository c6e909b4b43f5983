import type { ListenerIntent, LoadBalancerIntent, MemberIntent, PoolIntent } from '../../../../wire/balancing/intent.js'
import type { BalancingStatus } from '../../../../wire/balancing/terms.js'
import type { Found } from './checks.js'
import { openListeners } from './plan.js'
import { isMonitored } from './servers.js'

export type FoundOf = (memberId: string) => Found

const ofFound: Readonly<Record<Found, BalancingStatus>> = { well: 'ONLINE', ill: 'ERROR', 'not-yet': 'OFFLINE' }

function memberStatus(pool: PoolIntent, member: MemberIntent, foundOf: FoundOf): BalancingStatus {
  if (!pool.adminStateUp || !member.adminStateUp) return 'OFFLINE'
  if (member.draining || member.weight === 0) return 'DRAINING'
  return isMonitored(pool) ? ofFound[foundOf(member.id)] : 'NO_MONITOR'
}

function poolStatus(pool: PoolIntent, members: readonly BalancingStatus[]): BalancingStatus {
  if (!pool.adminStateUp) return 'OFFLINE'
  // those that are drained or off are so by somebody's wish
  const counted = members.filter((_, at) => {
    const { adminStateUp, draining, weight } = pool.members[at]!
    return adminStateUp && !draining && weight > 0
  })
  const up = counted.filter((status) => status === 'ONLINE' || status === 'NO_MONITOR').length
  if (up === counted.length) return 'ONLINE'
  if (up > 0) return 'DEGRADED'
  return counted.includes('ERROR') ? 'ERROR' : 'OFFLINE'
}

/** The statuses of all parts by id, and of the whole under its own. */
export function statusesOf(
  balancer: LoadBalancerIntent,
  foundOf: FoundOf,
  running: boolean,
): Record<string, BalancingStatus> {
  const statuses: Record<string, BalancingStatus> = {}
  for (const pool of balancer.pools) {
    const members = pool.members.map((member) => memberStatus(pool, member, foundOf))
    for (const [at, { id }] of pool.members.entries()) statuses[id] = members[at]!
    statuses[pool.id] = poolStatus(pool, members)
  }
  const seenWell = new Set(
    balancer.pools.flatMap(({ members }) => members.map(({ id }) => id)).filter((id) => foundOf(id) === 'well'),
  )
  const open = new Set(openListeners({ balancer, seenWell }))
  for (const listener of balancer.listeners) {
    const poolStatus = listener.defaultPoolId === null ? undefined : statuses[listener.defaultPoolId]
    statuses[listener.id] = listenerStatus(balancer, listener, { running, isOpen: open.has(listener), poolStatus })
  }
  statuses[balancer.id] = wholeStatus(balancer, statuses, running)
  return statuses
}

interface Seen {
  readonly running: boolean
  readonly isOpen: boolean
  readonly poolStatus: BalancingStatus | undefined
}

/** A port that is closed since nobody is behind it says why. */
function listenerStatus(balancer: LoadBalancerIntent, listener: ListenerIntent, seen: Seen): BalancingStatus {
  if (!balancer.adminStateUp || !listener.adminStateUp) return 'OFFLINE'
  if (!seen.running) return 'ERROR'
  const { isOpen, poolStatus: status } = seen
  return !isOpen && (status === 'ERROR' || status === 'OFFLINE') ? status : 'ONLINE'
}

function wholeStatus(
  balancer: LoadBalancerIntent,
  statuses: Readonly<Record<string, BalancingStatus>>,
  running: boolean,
): BalancingStatus {
  if (!balancer.adminStateUp) return 'OFFLINE'
  if (!running) return 'ERROR'
  const pools = balancer.pools.filter(({ adminStateUp }) => adminStateUp).map(({ id }) => statuses[id])
  if (pools.includes('ERROR')) return 'ERROR'
  return pools.includes('DEGRADED') ? 'DEGRADED' : 'ONLINE'
}
