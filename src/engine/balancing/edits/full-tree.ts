import { randomUUID } from 'node:crypto'
import type { Edit, Tree } from '../tree.js'
import { atMost, bounded, MAX_POLICIES_IN_ALL } from './bounds.js'
import { faultWhen, refuse, within } from './faults.js'
import { addHealthMonitor, type NewHealthMonitor } from './health-monitors.js'
import { addL7Policy, type NewL7Policy } from './l7-policies.js'
import { addL7Rule, type NewL7Rule } from './l7-rules.js'
import { addListener, type NewListener } from './listeners.js'
import { type NewMember, withMembers } from './members.js'
import { addPool, type NewPool } from './pools.js'

export interface PoolOfTree extends Omit<NewPool, 'id' | 'listenerId'> {
  readonly members?: readonly NewMember[] | null
  readonly healthMonitor?: NewHealthMonitor | null
}

/** A pool that is made here, or, with its name alone, one that is made elsewhere in the same tree. */
export type PoolOrName = Partial<PoolOfTree>

export interface L7PolicyOfTree extends NewL7Policy {
  readonly redirectPool?: PoolOrName | null
  readonly rules?: readonly NewL7Rule[] | null
}

export interface ListenerOfTree extends NewListener {
  readonly defaultPool?: PoolOrName | null
  readonly l7Policies?: readonly L7PolicyOfTree[] | null
}

export interface TreeInput {
  readonly listeners?: readonly ListenerOfTree[] | null
  readonly pools?: readonly PoolOrName[] | null
}

/**
 * All that a new balancer is to have, in one. Pools have names, each its own, as they are led to by them.
 * @throws Invalid with the path of what is at fault
 */
export const fullTree = ({ listeners, pools }: TreeInput): Edit =>
  bounded((tree) => {
    const policies = (listeners ?? []).reduce((sum, { l7Policies }) => sum + (l7Policies?.length ?? 0), 0)
    atMost(MAX_POLICIES_IN_ALL, 'policies', policies, 'a load balancer')
    const found = poolsIn({ listeners, pools })
    const ids = idsByName(found)
    let next = found.reduce((made, pool) => within(pool.path, () => withPool(made, pool, ids)), tree)
    for (const [index, listener] of (listeners ?? []).entries()) {
      next = within(`listeners[${index}]`, () => withListener(next, listener, ids))
    }
    return next
  })

interface FoundPool {
  readonly path: string
  readonly pool: PoolOfTree
}

function poolsIn({ listeners, pools }: TreeInput): FoundPool[] {
  const nested = (listeners ?? []).flatMap(({ defaultPool, l7Policies }, index) => [
    { path: `listeners[${index}].defaultPool`, pool: defaultPool },
    ...(l7Policies ?? []).map(({ redirectPool }, at) => ({
      path: `listeners[${index}].l7Policies[${at}].redirectPool`,
      pool: redirectPool,
    })),
  ])
  const own = (pools ?? []).map((pool, index) => whole(pool, `pools[${index}]`))
  return [...own, ...nested.flatMap(({ path, pool }) => (pool && !isNameAlone(pool) ? [whole(pool, path)] : []))]
}

const isNameAlone = ({ name, ...rest }: PoolOrName): boolean =>
  !!name && Object.values(rest).every((value) => value === undefined || value === null)

/** @throws Invalid where it says too little for a pool */
function whole(pool: PoolOrName, path: string): FoundPool {
  const { name, protocol, lbAlgorithm } = pool
  refuse([
    ...faultWhen(!name, `${path}.name`, 'the pools of a tree must be named'),
    ...faultWhen(!protocol, `${path}.protocol`, 'a pool needs a protocol'),
    ...faultWhen(!lbAlgorithm, `${path}.lbAlgorithm`, 'a pool needs an lbAlgorithm'),
  ])
  // both are there: it would have been refused
  return { path, pool: pool as PoolOfTree }
}

/** @throws Invalid when two have one name */
function idsByName(pools: readonly FoundPool[]): ReadonlyMap<string, string> {
  const ids = new Map<string, string>()
  for (const { path, pool } of pools) {
    const name = pool.name ?? ''
    const message = `the names of pools must be unique in a tree, and ${name} is not`
    refuse(faultWhen(ids.has(name), `${path}.name`, message))
    ids.set(name, randomUUID())
  }
  return ids
}

function withPool(tree: Tree, { pool }: FoundPool, ids: ReadonlyMap<string, string>): Tree {
  const { members, healthMonitor, ...input } = pool
  const id = ids.get(pool.name ?? '') ?? randomUUID()
  const empty = addPool(tree, { ...input, id, listenerId: null })
  const next = withMembers(empty, id, members ?? [], { additive: true })
  return healthMonitor ? within('healthMonitor', () => addHealthMonitor(next, id, healthMonitor)) : next
}

function withListener(tree: Tree, input: ListenerOfTree, ids: ReadonlyMap<string, string>): Tree {
  const { defaultPool, l7Policies, ...listener } = input
  const id = listener.id ?? randomUUID()
  const defaultPoolId = defaultPool ? named(defaultPool, 'defaultPool', ids) : listener.defaultPoolId
  let next = addListener(tree, { ...listener, id, defaultPoolId })
  for (const [index, policy] of (l7Policies ?? []).entries()) {
    next = within(`l7Policies[${index}]`, () => withPolicy(next, id, policy, ids))
  }
  return next
}

function withPolicy(tree: Tree, listenerId: string, input: L7PolicyOfTree, ids: ReadonlyMap<string, string>): Tree {
  const { redirectPool, rules, ...policy } = input
  const id = policy.id ?? randomUUID()
  const redirectPoolId = redirectPool ? named(redirectPool, 'redirectPool', ids) : policy.redirectPoolId
  let next = addL7Policy(tree, listenerId, { ...policy, id, redirectPoolId })
  for (const [index, rule] of (rules ?? []).entries()) {
    next = within(`rules[${index}]`, () => addL7Rule(next, id, rule))
  }
  return next
}

function named({ name }: PoolOrName, field: string, ids: ReadonlyMap<string, string>): string {
  const id = ids.get(name ?? '')
  refuse(faultWhen(!id, `${field}.name`, `no pool of the tree has the name ${name}`))
  return id ?? ''
}
