import type { L7Policy } from '../../../src/engine/balancing/l7-policy.entity.js'
import type { L7Rule } from '../../../src/engine/balancing/l7-rule.entity.js'
import type { Tree } from '../../../src/engine/balancing/tree.js'
import type { CompareType, PolicyAction } from '../../../src/wire/balancing/terms.js'
import { listenerOf, policyOf, poolOf, ruleOf, treeOf } from './imagined-tree.js'

/** Numbers from 0 to 1 that follow from the seed (mulberry32): a failure can be had again. */
export function dice(seed: number) {
  let state = seed
  const next = (): number => {
    state = (state + 0x6d2b79f5) | 0
    let t = Math.imul(state ^ (state >>> 15), 1 | state)
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32
  }
  const below = (n: number): number => Math.floor(next() * n)
  return {
    below,
    one: <T>(of: readonly T[]): T => of[below(of.length)]!,
    chance: (p: number): boolean => next() < p,
  }
}
type Dice = ReturnType<typeof dice>

const hosts = ['shop.example', 'SHOP.example:80', 'api.example', 'api.example:8080', 'example', 'a.b']
const paths = ['/', '/a', '/api', '/api/v1?x=/img', '/img/a.png', '/img/a.PNG?b.css', '/a.b/c', '/x/y.css', '/API']
const words = ['a', 'b', 'ab', 'ba', 'abc', 'A']
const actions: readonly PolicyAction[] = ['REDIRECT_TO_POOL', 'REDIRECT_TO_URL', 'REDIRECT_PREFIX', 'REJECT']
const compares: readonly CompareType[] = ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO']

/** One HTTP listener with a default pool and some policies of all sorts. */
export function randomTree(d: Dice, port = 80): Tree {
  const pools = Array.from({ length: 4 }, () => poolOf())
  const listener = listenerOf({ protocolPort: port, defaultPoolId: pools[0]!.id })
  const l7Policies = Array.from({ length: 1 + d.below(6) }, (_, index) =>
    randomPolicy(d, listener.id, index + 1, d.one(pools).id),
  )
  const l7Rules = l7Policies.flatMap(({ id }) => Array.from({ length: d.below(4) }, () => randomRule(d, id)))
  return treeOf({ pools, listeners: [listener], l7Policies, l7Rules })
}

function randomPolicy(d: Dice, listenerId: string, position: number, poolId: string): L7Policy {
  const action = d.one(actions)
  return policyOf(listenerId, {
    action,
    position,
    adminStateUp: d.chance(0.9),
    redirectPoolId: action === 'REDIRECT_TO_POOL' ? poolId : null,
    redirectUrl: action === 'REDIRECT_TO_URL' ? `http://elsewhere.example/${position}` : null,
    redirectPrefix: action === 'REDIRECT_PREFIX' ? `http://prefix.example/${position}` : null,
    redirectHttpCode: action === 'REDIRECT_TO_URL' || action === 'REDIRECT_PREFIX' ? d.one([301, 302, 307]) : null,
  })
}

function randomRule(d: Dice, policyId: string): L7Rule {
  const shared = { invert: d.chance(0.3), adminStateUp: d.chance(0.9) }
  const compareType = d.one(compares)
  const regex = compareType === 'REGEX'
  switch (d.below(5)) {
    case 0:
      return ruleOf(policyId, {
        ...shared,
        type: 'HOST_NAME',
        compareType,
        value: d.one(regex ? ['^shop\\.', 'example$', 'a.i'] : ['shop', 'example', 'api.example', 'Example', 'a.b']),
      })
    case 1:
      return ruleOf(policyId, {
        ...shared,
        type: 'FILE_TYPE',
        compareType: regex ? 'REGEX' : 'EQUAL_TO',
        value: d.one(regex ? ['^(png|css)$', 'p.g'] : ['png', 'css', 'PNG']),
      })
    case 2:
      return ruleOf(policyId, { ...shared, type: 'HEADER', key: 'X-Of', compareType, value: d.one(words) })
    case 3:
      return ruleOf(policyId, { ...shared, type: 'COOKIE', key: 'of', compareType, value: d.one(words) })
    default:
      return ruleOf(policyId, {
        ...shared,
        type: 'PATH',
        compareType,
        value: d.one(regex ? ['^/a', '\\.png$', '/v[0-9]+'] : ['/', '/a', '/api', '/img', '.css', 'x']),
      })
  }
}

export interface RandomRequest {
  readonly method: string
  readonly host: string
  readonly path: string
  readonly of: string | null
  readonly cookie: string | null
}

export const randomRequest = (d: Dice): RandomRequest => ({
  method: d.one(['GET', 'HEAD', 'POST']),
  host: d.one(hosts),
  path: d.one(paths),
  of: d.chance(0.7) ? d.one(words) : null,
  cookie: d.chance(0.7) ? d.one(words) : null,
})

/** As a client would send them, names in lower case. */
export function headersOf({ of, cookie }: RandomRequest): Map<string, string[]> {
  const headers = new Map<string, string[]>()
  if (of !== null) headers.set('x-of', [of])
  if (cookie !== null) headers.set('cookie', [`first=1; of=${cookie}; OF=no`])
  return headers
}
