import type { PolicyAction } from '../../../wire/balancing/terms.js'
import type { FieldFault } from '../../platform/errors.js'
import type { L7Policy } from '../l7-policy.entity.js'
import type { Edit, Tree } from '../tree.js'
import { bounded } from './bounds.js'
import { faultWhen, refuse } from './faults.js'
import { seesRequests, unfit } from './listeners.js'
import { altered, type Changes, changed, type Described, described, type Made, newPart, required } from './rows.js'

type Target = Pick<L7Policy, 'redirectPoolId' | 'redirectUrl' | 'redirectPrefix' | 'redirectHttpCode'>

export interface L7PolicyChange extends Changes<Described & Target> {
  readonly action?: PolicyAction | null
  /** From 1; those at and after it move on. Beyond the last: the last. */
  readonly position?: number | null
}

export interface NewL7Policy extends L7PolicyChange, Made {
  readonly action: PolicyAction
}

const nowhere: Target = { redirectPoolId: null, redirectUrl: null, redirectPrefix: null, redirectHttpCode: null }
const policyDefaults: Described & Target = { ...described, ...nowhere }

/** What belongs to an action; of anything else that is said of it nothing is kept. */
const targetsOf: Readonly<Record<PolicyAction, readonly (keyof Target)[]>> = {
  REDIRECT_TO_POOL: ['redirectPoolId'],
  REDIRECT_TO_URL: ['redirectUrl', 'redirectHttpCode'],
  REDIRECT_PREFIX: ['redirectPrefix', 'redirectHttpCode'],
  REJECT: [],
}

export const createL7Policy = (listenerId: string, input: NewL7Policy): Edit =>
  bounded((tree) => addL7Policy(tree, listenerId, input))

/** Not bounded yet. */
export function addL7Policy(tree: Tree, listenerId: string, input: NewL7Policy): Tree {
  const listener = required(tree.listeners, listenerId, 'listener')
  const message = `a listener of protocol ${listener.protocol} does not see requests, and has no L7 policies`
  refuse(faultWhen(!seesRequests(listener), 'listenerId', message))
  const { id, action, position } = input
  const attributes = changed(policyDefaults, input, policyDefaults)
  const policy = aimed({ ...newPart(tree, id), listenerId, position: 0, action, ...attributes }, tree)
  return arranged(tree, policy, position ?? Number.POSITIVE_INFINITY)
}

export const updateL7Policy = (id: string, input: L7PolicyChange): Edit =>
  bounded((tree) => {
    const policy = required(tree.l7Policies, id, 'L7 policy')
    const attributes = changed<Described & Target>(policy, input, policyDefaults)
    const next = altered(policy, aimed({ ...policy, ...attributes, action: input.action ?? policy.action }, tree))
    return arranged(tree, next, input.position ?? policy.position)
  })

/** With its rules; those after it move up. */
export const deleteL7Policy =
  (id: string): Edit =>
  (tree) => {
    const { listenerId } = required(tree.l7Policies, id, 'L7 policy')
    const others = tree.l7Policies.filter((policy) => policy.listenerId !== listenerId)
    const left = inOrder(tree, listenerId).filter((policy) => policy.id !== id)
    return {
      ...tree,
      l7Policies: [...others, ...numbered(left)],
      l7Rules: tree.l7Rules.filter(({ l7PolicyId }) => l7PolicyId !== id),
    }
  }

/** With what its action needs, and nothing else. @throws Invalid, NotFound */
function aimed(policy: L7Policy, tree: Tree): L7Policy {
  const { action } = policy
  const kept = Object.fromEntries(targetsOf[action].map((name) => [name, policy[name]]))
  const next: L7Policy = { ...policy, ...nowhere, ...kept }
  const redirects = action === 'REDIRECT_TO_URL' || action === 'REDIRECT_PREFIX'
  if (redirects) next.redirectHttpCode ??= 302
  refuse(targetFaults(next, tree))
  return next
}

function targetFaults(policy: L7Policy, tree: Tree): readonly FieldFault[] {
  const { action, listenerId, redirectPoolId, redirectUrl, redirectPrefix } = policy
  if (action === 'REDIRECT_TO_URL') return urlFaults(redirectUrl, 'redirectUrl', action)
  if (action === 'REDIRECT_PREFIX') return urlFaults(redirectPrefix, 'redirectPrefix', action)
  if (action === 'REJECT') return []
  if (redirectPoolId === null) return [{ field: 'redirectPoolId', message: `${action} needs a redirectPoolId` }]
  const pool = required(tree.pools, redirectPoolId, 'pool')
  return unfit(required(tree.listeners, listenerId, 'listener'), pool, 'redirectPoolId')
}

function urlFaults(url: string | null, field: string, action: PolicyAction): readonly FieldFault[] {
  if (url === null) return [{ field, message: `${action} needs a ${field}` }]
  // as it stands in a header: what a parser would mend is refused
  const isUrl = /^https?:\/\/[^/]/i.test(url) && !/[\s\p{Cc}"\\]/u.test(url) && URL.canParse(url)
  return faultWhen(!isUrl, field, `${field} must be a URL of http or https`)
}

/** The policy at its position among those of its listener, without gaps. */
function arranged(tree: Tree, policy: L7Policy, position: number): Tree {
  const { listenerId } = policy
  const ofListener = inOrder(tree, listenerId).filter(({ id }) => id !== policy.id)
  ofListener.splice(Math.max(0, Math.min(position - 1, ofListener.length)), 0, policy)
  const others = tree.l7Policies.filter((other) => other.listenerId !== listenerId)
  return { ...tree, l7Policies: [...others, ...numbered(ofListener)] }
}

const inOrder = ({ l7Policies }: Tree, listenerId: string): L7Policy[] =>
  l7Policies.filter((policy) => policy.listenerId === listenerId).sort((a, b) => a.position - b.position)

/** Only those that move are other objects. */
const numbered = (policies: readonly L7Policy[]): L7Policy[] =>
  policies.map((policy, index) => (policy.position === index + 1 ? policy : { ...policy, position: index + 1 }))
