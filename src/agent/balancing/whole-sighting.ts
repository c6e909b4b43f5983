import type { LoadBalancerIntent } from '../../wire/balancing/intent.js'
import type { BalancingStatus } from '../../wire/balancing/terms.js'
import type { Sighting } from './driver.js'

/** Devices have no eye for checks and rules of their own: what is in force of them works. */
export function wholeSighting({ listeners, pools }: LoadBalancerIntent, sighting: Sighting): Sighting {
  const statuses: Record<string, BalancingStatus> = {}
  for (const { monitor } of pools)
    if (monitor !== null) statuses[monitor.id] = monitor.adminStateUp ? 'ONLINE' : 'OFFLINE'
  for (const { id, rules } of listeners.flatMap(({ policies }) => policies)) {
    for (const ruled of [id, ...rules.map((rule) => rule.id)]) statuses[ruled] = 'ONLINE'
  }
  return { ...sighting, detail: { ...sighting.detail, statuses: { ...statuses, ...sighting.detail.statuses } } }
}
