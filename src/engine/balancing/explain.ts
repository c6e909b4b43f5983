import { type ImaginedRequest, judgeRule, type RuleVerdict } from './explain-rule.js'
import type { L7Policy } from './l7-policy.entity.js'
import type { Listener } from './listener.entity.js'
import type { Tree } from './tree.js'

export interface ExplainedRequest extends ImaginedRequest {
  /** Which listener: by id, else by port, else by what the scheme's port is. */
  readonly listenerId: string | null
  readonly port: number | null
  readonly scheme: 'http' | 'https'
}

export interface PolicyVerdict {
  readonly policyId: string
  /** Null: it hangs on a regex that only the device can read. */
  readonly met: boolean | null
  /** It is the first that is met: what comes of the request is its own. */
  readonly chosen: boolean
  readonly why: string
  readonly rules: readonly RuleVerdict[]
}

/**
 * `unavailable`: answered 503, or closed at once where nobody speaks HTTP. `refused`: no port is open there. `undecided`: hangs on a
 * regex that only the device can read.
 */
export type OutcomeType = 'pool' | 'redirect' | 'reject' | 'metrics' | 'unavailable' | 'refused' | 'undecided'

export interface Outcome {
  readonly type: OutcomeType
  readonly poolId: string | null
  readonly status: number | null
  readonly location: string | null
  readonly why: string
}

export interface Explanation {
  readonly listener: Listener | null
  readonly policies: readonly PolicyVerdict[]
  readonly outcome: Outcome
}

const schemePorts = { http: 80, https: 443 } as const
const DEFAULT_REDIRECT = 302
const REJECTED = 403
const UNAVAILABLE = 503
/** Only these read what a request says. */
const readsRequests: ReadonlySet<string> = new Set(['HTTP', 'TERMINATED_HTTPS'])

/** Which listener, policy and pool a request would meet, as the device decides it from this tree. */
export function explain(tree: Tree, request: ExplainedRequest): Explanation {
  const listener = listenerFor(tree, request)
  if (!listener) return { listener, policies: [], outcome: nothing('refused', 'no listener has this port') }
  const closed = closedBecause(tree, listener)
  if (closed) return { listener, policies: [], outcome: nothing('refused', closed) }
  if (listener.protocol === 'PROMETHEUS')
    return { listener, policies: [], outcome: { ...nothing('metrics', 'the listener tells figures'), status: 200 } }
  const policies = readsRequests.has(listener.protocol) ? judgePolicies(tree, listener, request) : []
  return { listener, policies, outcome: outcomeOf(tree, listener, policies, request) }
}

function listenerFor({ listeners }: Tree, { listenerId, port, scheme }: ExplainedRequest): Listener | null {
  if (listenerId !== null) return listeners.find(({ id }) => id === listenerId) ?? null
  const wanted = port ?? schemePorts[scheme]
  const there = listeners.filter(({ protocolPort, protocol }) => protocolPort === wanted && protocol !== 'UDP')
  return there[0] ?? (port === null && listeners.length === 1 ? listeners[0]! : null)
}

function closedBecause({ loadBalancer }: Tree, { adminStateUp }: Listener): string | null {
  if (!loadBalancer.adminStateUp) return 'the load balancer is switched off'
  return adminStateUp ? null : 'the listener is switched off'
}

function judgePolicies(tree: Tree, listener: Listener, request: ImaginedRequest): PolicyVerdict[] {
  const ordered = tree.l7Policies
    .filter(({ listenerId }) => listenerId === listener.id)
    .sort((a, b) => a.position - b.position)
  let open = true
  return ordered.map((policy) => {
    const verdict = judgePolicy(tree, policy, request)
    const chosen = open && verdict.met === true
    // behind one that may be met nobody can be sure
    if (verdict.met !== false) open = false
    return { ...verdict, chosen }
  })
}

/** All of its rules must be met; those that are switched off are as if they were not there. */
function judgePolicy(tree: Tree, policy: L7Policy, request: ImaginedRequest): Omit<PolicyVerdict, 'chosen'> {
  const { id: policyId } = policy
  const rules = tree.l7Rules
    .filter((rule) => rule.l7PolicyId === policyId && rule.adminStateUp)
    .map((rule) => judgeRule(rule, request))
  if (!policy.adminStateUp) return { policyId, met: false, why: 'it is switched off', rules }
  if (rules.length === 0) return { policyId, met: false, why: 'it has no rule', rules }
  const failed = rules.find(({ met }) => met === false)
  if (failed) return { policyId, met: false, why: `not all of its rules are met: ${failed.why}`, rules }
  const unread = rules.find(({ met }) => met === null)
  if (unread) return { policyId, met: null, why: unread.why, rules }
  return { policyId, met: true, why: 'all of its rules are met', rules }
}

function outcomeOf(
  tree: Tree,
  listener: Listener,
  policies: readonly PolicyVerdict[],
  { path }: ImaginedRequest,
): Outcome {
  const decisive = policies.find(({ met }) => met !== false)
  if (decisive?.met === null) return nothing('undecided', decisive.why)
  const policy = tree.l7Policies.find(({ id }) => id === decisive?.policyId)
  if (!policy) return pooled(tree, listener, listener.defaultPoolId, 'no policy is met: the default pool')
  const why = `policy ${policy.name || policy.id} is met`
  const redirect = { ...nothing('redirect', why), status: policy.redirectHttpCode ?? DEFAULT_REDIRECT }
  switch (policy.action) {
    case 'REJECT':
      return { ...nothing('reject', why), status: REJECTED }
    case 'REDIRECT_TO_URL':
      return { ...redirect, location: policy.redirectUrl }
    case 'REDIRECT_PREFIX':
      return { ...redirect, location: `${policy.redirectPrefix ?? ''}${path}` }
    case 'REDIRECT_TO_POOL':
      return pooled(tree, listener, policy.redirectPoolId, why)
  }
}

/** A pool that takes no requests answers as one without members that are up. */
function pooled(tree: Tree, { protocol }: Listener, poolId: string | null, why: string): Outcome {
  const pool = tree.pools.find(({ id }) => id === poolId)
  const status = readsRequests.has(protocol) ? UNAVAILABLE : null
  if (!pool) return { ...nothing('unavailable', `${why}, and there is none`), status }
  if (!pool.adminStateUp)
    return { ...nothing('unavailable', `${why}, and its pool is switched off`), status, poolId: pool.id }
  return { ...nothing('pool', why), poolId: pool.id }
}

const nothing = (type: OutcomeType, why: string): Outcome => ({ type, why, poolId: null, status: null, location: null })
