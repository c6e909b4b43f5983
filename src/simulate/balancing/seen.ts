import type { Sighting } from '../../agent/balancing/driver.js'
import type { LoadBalancerIntent, MemberIntent, PoolIntent } from '../../wire/balancing/intent.js'
import type { ListenerStatistics } from '../../wire/balancing/sighting.js'
import type { BalancingStatus } from '../../wire/balancing/terms.js'

const none: ListenerStatistics = {
  activeConnections: 0,
  totalConnections: 0,
  bytesIn: 0,
  bytesOut: 0,
  requestErrors: 0,
}

/** Every member answers its checks, and nobody comes to the listeners. */
export function sightingOf(balancer: LoadBalancerIntent): Sighting {
  const { listeners, pools, adminStateUp } = balancer
  const statuses = [
    ...listeners.map(({ id, adminStateUp }) => [id, upOr(adminStateUp)] as const),
    ...pools.map(({ id, adminStateUp }) => [id, upOr(adminStateUp)] as const),
    ...pools.flatMap((pool) => pool.members.map((member) => [member.id, memberStatus(pool, member)] as const)),
  ]
  return {
    status: upOr(adminStateUp),
    fault: null,
    detail: {
      statuses: Object.fromEntries(statuses),
      statistics: Object.fromEntries(listeners.map(({ id }) => [id, none])),
    },
  }
}

const upOr = (adminStateUp: boolean): BalancingStatus => (adminStateUp ? 'ONLINE' : 'OFFLINE')

function memberStatus({ monitor }: PoolIntent, { adminStateUp, draining, weight }: MemberIntent): BalancingStatus {
  if (!adminStateUp) return 'OFFLINE'
  if (draining || weight === 0) return 'DRAINING'
  return monitor?.adminStateUp ? 'ONLINE' : 'NO_MONITOR'
}
