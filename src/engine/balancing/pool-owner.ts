import { Invalid } from '../platform/errors.js'
import type { Owner } from './balancer-parts.service.js'
import type { PoolCreate } from './pool.dto.js'

/** Where a pool is to be: one of the two is said. @throws Invalid */
export function ownerOfPool({ loadBalancerId, listenerId }: PoolCreate): Owner {
  if (loadBalancerId) return { noun: 'loadBalancer', id: loadBalancerId }
  if (listenerId) return { noun: 'listeners', id: listenerId }
  const message = 'a pool needs a loadBalancerId or a listenerId'
  throw new Invalid(message, [{ field: 'loadBalancerId', message }])
}
