import type { BalancingPart } from './balancing-part.js'
import type { HealthMonitor } from './health-monitor.entity.js'
import type { L7Policy } from './l7-policy.entity.js'
import type { L7Rule } from './l7-rule.entity.js'
import type { Listener } from './listener.entity.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import type { Member } from './member.entity.js'
import type { Pool } from './pool.entity.js'

/** What stands under a balancer, by noun. Rows are told apart by their id, and never changed in place. */
export interface Parts {
  readonly listeners: readonly Listener[]
  readonly pools: readonly Pool[]
  readonly members: readonly Member[]
  readonly healthMonitors: readonly HealthMonitor[]
  readonly l7Policies: readonly L7Policy[]
  readonly l7Rules: readonly L7Rule[]
}

/** A balancer whole. */
export interface Tree extends Parts {
  readonly loadBalancer: LoadBalancer
}

/**
 * One change of a balancer: pure, from the tree as it is to the tree as it is to be. A row that is another object was
 * changed, one that is missing is to be removed. Statuses and generations are the workflow's, not an edit's.
 * @throws Invalid, Conflict, NotFound, Unsupported
 */
export type Edit = (tree: Tree) => Tree

type Kept<R> = Omit<
  R,
  'provisioningStatus' | 'operatingStatus' | 'generation' | 'createdAt' | 'updatedAt' | 'projectId'
>

/** Of the balancer itself only what an edit may change. */
export interface StoredTree {
  readonly loadBalancer: Pick<BalancingPart, 'name' | 'description' | 'adminStateUp' | 'tags'>
  readonly listeners: readonly Kept<Listener>[]
  readonly pools: readonly Kept<Pool>[]
  readonly members: readonly Kept<Member>[]
  readonly healthMonitors: readonly Kept<HealthMonitor>[]
  readonly l7Policies: readonly Kept<L7Policy>[]
  readonly l7Rules: readonly Kept<L7Rule>[]
}
