import { randomUUID } from 'node:crypto'
import type { Type } from '@nestjs/common'
import type { Algorithm, PoolProtocol } from '../../../wire/balancing/terms.js'
import type { BalancingPart } from '../balancing-part.js'
import { faultWhen, refuse } from '../edits/faults.js'
import { fullTree, type ListenerOfTree, type PoolOfTree } from '../edits/full-tree.js'
import { createHealthMonitor, deleteHealthMonitor, updateHealthMonitor } from '../edits/health-monitors.js'
import { createL7Policy, deleteL7Policy, updateL7Policy } from '../edits/l7-policies.js'
import { createL7Rule, deleteL7Rule, updateL7Rule } from '../edits/l7-rules.js'
import { createListener, deleteListener, updateListener } from '../edits/listeners.js'
import { createMember, deleteMember, putMembers, updateMember } from '../edits/members.js'
import { createPool, deletePool, updatePool } from '../edits/pools.js'
import { HealthMonitorUpdate, TreeHealthMonitor } from '../health-monitor.dto.js'
import { L7PolicyUpdate, TreeL7Policy } from '../l7-policy.dto.js'
import { L7RuleCreate, L7RuleUpdate } from '../l7-rule.dto.js'
import { ListenerUpdate, TreeListener } from '../listener.dto.js'
import { MemberCreate, MemberUpdate } from '../member.dto.js'
import { PoolUpdate, TreePool } from '../pool.dto.js'
import type { Edit, Parts } from '../tree.js'
import type { InputTable } from './input.js'
import { healthMonitorInput, l7PolicyInput, l7RuleInput, listenerInput, memberInput, poolInput } from './inputs.js'
import type { Resource } from './resource.js'
import { healthMonitors, l7Policies, l7Rules, listeners, loadBalancers, members, pools } from './resources.js'

/** By what a new part is put under a balancer: the first that the body, or the path, names. */
export interface Home {
  readonly field: string
  readonly resource: Resource
}

/** A noun under a balancer: how it is spelled, checked and made an edit of. The classes and edits are those of our own face. */
export interface PartKind {
  readonly resource: Resource
  readonly input: InputTable
  readonly homes: readonly Home[]
  /** Where paths have a parent. */
  readonly parent?: { readonly attribute: string; readonly resource: Resource }
  readonly createClass: Type<object>
  readonly updateClass: Type<object>
  /** Without the homes, which `at` has by their fields; with the id that it is to have. */
  readonly create: (input: never, id: string, at: Readonly<Record<string, string>>) => Edit
  readonly update: (id: string, change: never, parentId: string) => Edit
  readonly delete: (id: string, parentId: string) => Edit
  readonly rowsOf: (parts: Parts) => readonly BalancingPart[]
}

export type PartNoun = 'listeners' | 'pools' | 'members' | 'healthMonitors' | 'l7Policies' | 'l7Rules'

const inOrder =
  (...edits: readonly Edit[]): Edit =>
  (tree) =>
    edits.reduce((next, edit) => edit(next), tree)

/** With all that the body has of it. */
const poolOf = ({ members: its, healthMonitor, ...input }: PoolOfTree, id: string, listenerId: string | null): Edit =>
  inOrder(
    createPool({ ...input, id, listenerId }),
    ...(its ? [putMembers(id, its, { additive: true })] : []),
    ...(healthMonitor ? [createHealthMonitor(id, healthMonitor)] : []),
  )

function policyOf({ rules, redirectPool, ...input }: TreeL7Policy, id: string, listenerId: string): Edit {
  const poolId = randomUUID()
  const policy = createL7Policy(listenerId, { ...input, id, ...(redirectPool ? { redirectPoolId: poolId } : {}) })
  const ofPolicy = (rules ?? []).map((rule) => createL7Rule(id, rule))
  return inOrder(...(redirectPool ? [poolOf(wholePool(redirectPool), poolId, null)] : []), policy, ...ofPolicy)
}

/** @throws Invalid where it is a name alone: there is no tree here that has the pool */
function wholePool({ protocol, lbAlgorithm, ...pool }: TreePool): PoolOfTree {
  refuse([
    ...faultWhen(!protocol, 'protocol', 'a pool needs a protocol'),
    ...faultWhen(!lbAlgorithm, 'lbAlgorithm', 'a pool needs an lbAlgorithm'),
  ])
  return { ...pool, protocol: protocol as PoolProtocol, lbAlgorithm: lbAlgorithm as Algorithm }
}

export const partKinds: Readonly<Record<PartNoun, PartKind>> = {
  listeners: {
    resource: listeners,
    input: listenerInput,
    homes: [{ field: 'loadBalancerId', resource: loadBalancers }],
    createClass: TreeListener,
    updateClass: ListenerUpdate,
    create: (input: ListenerOfTree, id) =>
      input.defaultPool || input.l7Policies
        ? fullTree({ listeners: [{ ...input, id }] })
        : createListener({ ...input, id }),
    update: updateListener,
    delete: deleteListener,
    rowsOf: (parts) => parts.listeners,
  },
  pools: {
    resource: pools,
    input: poolInput,
    homes: [
      { field: 'listenerId', resource: listeners },
      { field: 'loadBalancerId', resource: loadBalancers },
    ],
    createClass: TreePool,
    updateClass: PoolUpdate,
    create: (input: TreePool, id, { listenerId }) => poolOf(wholePool(input), id, listenerId ?? null),
    update: updatePool,
    delete: deletePool,
    rowsOf: (parts) => parts.pools,
  },
  members: {
    resource: members,
    input: memberInput,
    homes: [{ field: 'poolId', resource: pools }],
    parent: { attribute: 'pool_id', resource: pools },
    createClass: MemberCreate,
    updateClass: MemberUpdate,
    create: (input: MemberCreate, id, { poolId = '' }) => createMember(poolId, { ...input, id }),
    update: (id, change, poolId) => updateMember(poolId, id, change),
    delete: (id, poolId) => deleteMember(poolId, id),
    rowsOf: (parts) => parts.members,
  },
  healthMonitors: {
    resource: healthMonitors,
    input: healthMonitorInput,
    homes: [{ field: 'poolId', resource: pools }],
    createClass: TreeHealthMonitor,
    updateClass: HealthMonitorUpdate,
    create: (input: TreeHealthMonitor, id, { poolId = '' }) => createHealthMonitor(poolId, { ...input, id }),
    update: updateHealthMonitor,
    delete: deleteHealthMonitor,
    rowsOf: (parts) => parts.healthMonitors,
  },
  l7Policies: {
    resource: l7Policies,
    input: l7PolicyInput,
    homes: [{ field: 'listenerId', resource: listeners }],
    createClass: TreeL7Policy,
    updateClass: L7PolicyUpdate,
    create: (input: TreeL7Policy, id, { listenerId = '' }) => policyOf(input, id, listenerId),
    update: updateL7Policy,
    delete: deleteL7Policy,
    rowsOf: (parts) => parts.l7Policies,
  },
  l7Rules: {
    resource: l7Rules,
    input: l7RuleInput,
    homes: [{ field: 'l7PolicyId', resource: l7Policies }],
    parent: { attribute: 'l7policy_id', resource: l7Policies },
    createClass: L7RuleCreate,
    updateClass: L7RuleUpdate,
    create: (input: L7RuleCreate, id, { l7PolicyId = '' }) => createL7Rule(l7PolicyId, { ...input, id }),
    update: (id, change, l7PolicyId) => updateL7Rule(l7PolicyId, id, change),
    delete: (id, l7PolicyId) => deleteL7Rule(l7PolicyId, id),
    rowsOf: (parts) => parts.l7Rules,
  },
}
