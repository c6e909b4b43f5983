import type { BalancingStatus } from '../../wire/balancing/terms.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import type { BalancingPart } from './balancing-part.js'
import type { Tree } from './tree.js'

/** One of a balancer's parts in the tree of their statuses. */
export class StatusView {
  /** @example 9d2c4b6a-8e0f-4a1b-9c3d-5e7f8a9b0c1d */
  id!: string
  /** @example web */
  name!: string
  provisioningStatus!: ProvisioningStatus
  operatingStatus!: BalancingStatus
}

export class MemberStatusView extends StatusView {
  /** @example 192.0.2.21 */
  address!: string
  /** @example 8080 */
  protocolPort!: number
}

export class HealthMonitorStatusView extends StatusView {
  /** @example HTTP */
  type!: string
}

export class PoolStatusView extends StatusView {
  healthMonitor!: HealthMonitorStatusView | null
  members!: MemberStatusView[]
}

export class L7RuleStatusView extends StatusView {
  /** @example PATH */
  type!: string
}

export class L7PolicyStatusView extends StatusView {
  /** @example REJECT */
  action!: string
  rules!: L7RuleStatusView[]
}

export class ListenerStatusView extends StatusView {
  /** Its default pool, and those that its L7 policies lead to. */
  pools!: PoolStatusView[]
  /** In their order. */
  l7Policies!: L7PolicyStatusView[]
}

export class StatusTreeView extends StatusView {
  listeners!: ListenerStatusView[]
  /** All of them, also those that no listener leads to. */
  pools!: PoolStatusView[]
}

export function viewStatusTree(tree: Tree): StatusTreeView {
  const { loadBalancer, listeners, pools, l7Policies, l7Rules } = tree
  const poolViews = pools.map((pool) => poolStatus(tree, pool))
  return {
    ...status(loadBalancer),
    listeners: listeners.map((listener) => {
      const policies = l7Policies
        .filter(({ listenerId }) => listenerId === listener.id)
        .sort((a, b) => a.position - b.position)
      const led = new Set([listener.defaultPoolId, ...policies.map(({ redirectPoolId }) => redirectPoolId)])
      return {
        ...status(listener),
        pools: poolViews.filter(({ id }) => led.has(id)),
        l7Policies: policies.map((policy) => ({
          ...status(policy),
          action: policy.action,
          rules: l7Rules
            .filter(({ l7PolicyId }) => l7PolicyId === policy.id)
            .map((rule) => ({ ...status(rule), type: rule.type })),
        })),
      }
    }),
    pools: poolViews,
  }
}

function poolStatus({ members, healthMonitors }: Tree, pool: BalancingPart): PoolStatusView {
  const monitor = healthMonitors.find(({ poolId }) => poolId === pool.id)
  return {
    ...status(pool),
    healthMonitor: monitor ? { ...status(monitor), type: monitor.type } : null,
    members: members
      .filter(({ poolId }) => poolId === pool.id)
      .map((member) => ({ ...status(member), address: member.address, protocolPort: member.protocolPort })),
  }
}

const status = ({ id, name, provisioningStatus, operatingStatus }: BalancingPart): StatusView => ({
  id,
  name,
  provisioningStatus,
  operatingStatus,
})
