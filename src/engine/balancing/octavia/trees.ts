import type { BalancingPart } from '../balancing-part.js'
import type { Tree } from '../tree.js'
import type { OctaviaReading, Shown } from './reading.service.js'
import { healthMonitors, l7Policies, l7Rules, listeners, members, pools } from './resources.js'

const statusOf = ({ id, name, provisioningStatus, operatingStatus }: BalancingPart) => ({
  id,
  name,
  provisioning_status: provisioningStatus,
  operating_status: operatingStatus === 'UNKNOWN' ? 'OFFLINE' : operatingStatus,
})

/** The statuses of a balancer and all under it. A pool stands below each listener that leads to it. */
export function statusTree(tree: Tree) {
  const pool = (id: string) =>
    tree.pools
      .filter((one) => one.id === id)
      .map((one) => ({
        ...statusOf(one),
        members: tree.members
          .filter(({ poolId }) => poolId === id)
          .map((member) => ({
            ...statusOf(member),
            address: member.address,
            protocol_port: member.protocolPort,
          })),
        ...monitorOf(tree, id),
      }))
  return {
    ...statusOf(tree.loadBalancer),
    listeners: tree.listeners.map((listener) => ({
      ...statusOf(listener),
      pools: poolIdsOf(tree, listener.id, listener.defaultPoolId).flatMap(pool),
    })),
    pools: tree.pools.flatMap(({ id }) => pool(id)),
  }
}

function monitorOf({ healthMonitors: all }: Tree, poolId: string) {
  const monitor = all.find((one) => one.poolId === poolId)
  return monitor ? { health_monitor: { ...statusOf(monitor), type: monitor.type } } : {}
}

function poolIdsOf({ l7Policies: all }: Tree, listenerId: string, defaultPoolId: string | null): string[] {
  const redirected = all.filter((policy) => policy.listenerId === listenerId).map((policy) => policy.redirectPoolId)
  return [...new Set([defaultPoolId, ...redirected].filter((id) => id !== null))]
}

/** A balancer that was made with all under it, as the reply to that shows it: whole where other replies have ids. */
export async function wholeTree(reading: OctaviaReading, balancer: Shown): Promise<Shown> {
  const rowsOf = (resource: Parameters<OctaviaReading['partsOf']>[0]) => reading.partsOf(resource, String(balancer.id))
  const [allListeners, allPools, allMembers, allMonitors, allPolicies, allRules] = await Promise.all(
    [listeners, pools, members, healthMonitors, l7Policies, l7Rules].map(rowsOf),
  )
  const of = (rows: readonly Shown[] | undefined, parent: string, id: unknown) =>
    (rows ?? []).filter((row) => row[parent] === id).map(pending)
  return {
    ...balancer,
    listeners: (allListeners ?? []).map((listener) => ({
      ...pending(listener),
      l7policies: of(allPolicies, 'listener_id', listener.id).map((policy) => ({
        ...policy,
        rules: of(allRules, '_l7policy_id', policy.id),
      })),
    })),
    pools: (allPools ?? []).map((pool) => ({
      ...pending(pool),
      members: of(allMembers, '_pool_id', pool.id),
      healthmonitor: of(allMonitors, '_pool_id', pool.id)[0] ?? null,
    })),
  }
}

/** As the change left it, without what only finds its place. */
const pending = (row: Shown): Shown => ({
  ...Object.fromEntries(Object.entries(row).filter(([name]) => !name.startsWith('_'))),
  provisioning_status: 'PENDING_CREATE',
})
