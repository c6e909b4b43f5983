import { MAX_LISTENERS, MAX_MEMBERS, MAX_POLICIES, MAX_POOLS, MAX_RULES } from '../../../wire/balancing/intent.js'
import { type AskingBalancer, featuresOf, lacksOf } from '../../../wire/balancing/providers.js'
import { Conflict, Unsupported } from '../../platform/errors.js'
import type { Edit, Tree } from '../tree.js'

/** Of all listeners together: a command has to hold them. */
export const MAX_POLICIES_IN_ALL = 1_000

/** A pool is a backend for each listener that leads to it: so many members are configured and checked, of all of them together. */
export const MAX_SERVERS = 10_000

/** For an edit that adds or changes: what comes of it fits into one command, and its provider can do it (L1). */
export const bounded =
  (edit: Edit): Edit =>
  (tree) => {
    const next = edit(tree)
    requireRoom(next)
    requireSupported(next)
    return next
  }

/** @throws Conflict `too-many-…` */
function requireRoom({ listeners, pools, members, l7Policies, l7Rules }: Tree): void {
  requireServers({ listeners, members, l7Policies })
  atMost(MAX_LISTENERS, 'listeners', listeners.length, 'a load balancer')
  atMost(MAX_POOLS, 'pools', pools.length, 'a load balancer')
  // of all pools together: it is the command that has to hold them
  atMost(MAX_MEMBERS, 'members', members.length, 'a load balancer')
  atMost(MAX_POLICIES_IN_ALL, 'policies', l7Policies.length, 'a load balancer')
  const ofListener = grouped(l7Policies, ({ listenerId }) => listenerId)
  for (const [id, policies] of ofListener) atMost(MAX_POLICIES, 'policies', policies.length, `listener ${id}`)
  const ofPolicy = grouped(l7Rules, ({ l7PolicyId }) => l7PolicyId)
  for (const [id, rules] of ofPolicy) atMost(MAX_RULES, 'rules', rules.length, `L7 policy ${id}`)
}

/** @throws Conflict `too-many-servers` */
function requireServers({ listeners, members, l7Policies }: Pick<Tree, 'listeners' | 'members' | 'l7Policies'>): void {
  const ofPool = grouped(members, ({ poolId }) => poolId)
  const policies = grouped(l7Policies, ({ listenerId }) => listenerId)
  const servers = listeners.flatMap(({ id, defaultPoolId }) => {
    const led = new Set([defaultPoolId, ...(policies.get(id) ?? []).map(({ redirectPoolId }) => redirectPoolId)])
    return [...led].map((poolId) => (poolId === null ? 0 : (ofPool.get(poolId)?.length ?? 0)))
  })
  const count = servers.reduce((sum, each) => sum + each, 0)
  if (count <= MAX_SERVERS) return
  const why = `each listener has the members of the pools that it leads to, ${count} together`
  throw new Conflict(`a load balancer has at most ${MAX_SERVERS} servers: ${why}`, 'too-many-servers', {
    limit: MAX_SERVERS,
  })
}

/** @throws Conflict `too-many-…` */
export function atMost(limit: number, noun: string, count: number, whose: string): void {
  if (count > limit) throw new Conflict(`${whose} has at most ${limit} ${noun}`, `too-many-${noun}`, { limit })
}

/** @throws Unsupported */
function requireSupported(tree: Tree): void {
  const { provider } = tree.loadBalancer
  const asked = featuresOf(asking(tree))
  for (const feature of lacksOf[provider]) {
    const objectId = asked.get(feature)
    if (objectId) throw new Unsupported(`the provider ${provider} has no ${feature}`, { provider, feature, objectId })
  }
}

/** What is disabled asks as well: it would be refused when it is enabled. */
function asking({ listeners, pools, members, healthMonitors, l7Policies, l7Rules }: Tree): AskingBalancer {
  const policies = grouped(l7Policies, ({ listenerId }) => listenerId)
  const rules = grouped(l7Rules, ({ l7PolicyId }) => l7PolicyId)
  const membersOf = grouped(members, ({ poolId }) => poolId)
  const monitors = new Map(healthMonitors.map((monitor) => [monitor.poolId, monitor]))
  return {
    listeners: listeners.map(({ id, protocol, connectionLimit }) => ({
      id,
      protocol,
      connectionLimit,
      policies: (policies.get(id) ?? []).map((policy) => ({ ...policy, rules: rules.get(policy.id) ?? [] })),
    })),
    pools: pools.map(({ id, protocol, lbAlgorithm, sessionPersistence }) => ({
      id,
      protocol,
      algorithm: lbAlgorithm,
      persistence: sessionPersistence,
      monitor: monitors.get(id) ?? null,
      members: membersOf.get(id) ?? [],
    })),
  }
}

function grouped<R>(rows: readonly R[], by: (row: R) => string): Map<string, R[]> {
  const groups = new Map<string, R[]>()
  for (const row of rows) {
    const group = groups.get(by(row))
    if (group) group.push(row)
    else groups.set(by(row), [row])
  }
  return groups
}
