import { type ExplainedRequest, explain } from '../../src/engine/balancing/explain.js'
import type { L7Rule } from '../../src/engine/balancing/l7-rule.entity.js'
import type { Tree } from '../../src/engine/balancing/tree.js'
import { balancerOf, listenerOf, policyOf, poolOf, ruleOf, treeOf } from './support/imagined-tree.js'
import { dice, headersOf, type RandomRequest, randomRequest, randomTree } from './support/random-requests.js'

const asked = (given: Partial<ExplainedRequest> = {}): ExplainedRequest => ({
  listenerId: null,
  port: null,
  scheme: 'http',
  method: 'GET',
  host: 'shop.example',
  path: '/',
  headers: new Map(),
  ...given,
})

const pool = poolOf()
const listener = listenerOf({ defaultPoolId: pool.id })

/** One policy that rejects what meets this rule. */
function rejecting(rule: Partial<L7Rule>): Tree {
  const policy = policyOf(listener.id)
  return treeOf({
    listeners: [listener],
    pools: [pool],
    l7Policies: [policy],
    l7Rules: [ruleOf(policy.id, rule)],
  })
}

describe('a rule', () => {
  it.each<[string, Partial<L7Rule>, Partial<ExplainedRequest>]>([
    [
      'of a host’s name looks past port and case',
      { type: 'HOST_NAME', compareType: 'EQUAL_TO', value: 'Shop.Example' },
      { host: 'sHop.example:8080' },
    ],
    [
      'of a host’s name reads an address of IPv6',
      { type: 'HOST_NAME', compareType: 'EQUAL_TO', value: '[::1]' },
      { host: '[::1]:80' },
    ],
    ['of a path looks not at the query', { compareType: 'EQUAL_TO', value: '/a' }, { path: '/a?b=/c' }],
    [
      'of a file’s type looks at what is behind the last dot',
      { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: 'gz' },
      { path: '/x.d/a.tar.gz?y.png' },
    ],
    [
      'of a file’s type may be said with its dot',
      { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: '.gz' },
      { path: '/a.gz' },
    ],
    [
      'of a header reads a list',
      { type: 'HEADER', key: 'X', compareType: 'EQUAL_TO', value: 'b' },
      { headers: new Map([['x', ['a, b']]]) },
    ],
    [
      'of a header takes its name in any case',
      { type: 'HEADER', key: 'X-Kind', compareType: 'CONTAINS', value: 'b' },
      { headers: new Map([['x-kind', ['a', 'abc']]]) },
    ],
    [
      'of a cookie finds it among others',
      { type: 'COOKIE', key: 'k', compareType: 'EQUAL_TO', value: 'v=1' },
      { headers: new Map([['cookie', ['a=b; k=v=1']]]) },
    ],
    ['with a regex finds it anywhere', { compareType: 'REGEX', value: 'b+c' }, { path: '/abbcd' }],
    [
      'that is inverted is met by what lacks it',
      { type: 'HEADER', key: 'x', compareType: 'EQUAL_TO', value: 'y', invert: true },
      {},
    ],
  ])('%s', (_what, rule, request) => {
    expect(explain(rejecting(rule), asked(request)).outcome).toMatchObject({ type: 'reject', status: 403 })
  })

  it.each<[string, Partial<L7Rule>, Partial<ExplainedRequest>]>([
    ['of a path has a case', { compareType: 'EQUAL_TO', value: '/A' }, { path: '/a' }],
    ['of a path sees no query', { compareType: 'CONTAINS', value: 'b' }, { path: '/a?b' }],
    [
      'of a file’s type looks at no directory',
      { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: 'd' },
      { path: '/x.d/a' },
    ],
    [
      'of a cookie has a case in its name',
      { type: 'COOKIE', key: 'K', compareType: 'EQUAL_TO', value: 'v' },
      { headers: new Map([['cookie', ['k=v']]]) },
    ],
    ['of a host’s name is not met without one', { type: 'HOST_NAME', compareType: 'REGEX', value: '' }, { host: null }],
  ])('%s, and is not met', (_what, rule, request) => {
    expect(explain(rejecting(rule), asked(request)).outcome).toMatchObject({ type: 'pool', poolId: pool.id })
  })

  it('says why it is met or not', () => {
    const { policies } = explain(rejecting({ compareType: 'ENDS_WITH', value: '.css' }), asked({ path: '/a' }))
    expect(policies[0]).toMatchObject({
      met: false,
      chosen: false,
      rules: [{ met: false, why: 'PATH is "/a": nothing ends with ".css"' }],
    })
  })

  it('whose regex the device alone can read leaves the outcome open', () => {
    const { outcome, policies } = explain(rejecting({ compareType: 'REGEX', value: '(?=a)a' }), asked())
    expect(outcome.type).toBe('undecided')
    expect(policies[0]).toMatchObject({ met: null, chosen: false })
  })

  it('takes no longer for a regex that would never end elsewhere', () => {
    const path = `/${'a'.repeat(5_000)}!`
    expect(explain(rejecting({ compareType: 'REGEX', value: '^/(a+)+$' }), asked({ path })).outcome.type).toBe('pool')
  })
})

describe('a policy', () => {
  it('needs all of its rules, and those that are switched off count for nothing', () => {
    const tree = rejecting({ value: '/' })
    const [policy] = tree.l7Policies
    const off = ruleOf(policy!.id, { value: '/no', adminStateUp: false })
    const on = ruleOf(policy!.id, { value: '/no' })
    expect(explain({ ...tree, l7Rules: [...tree.l7Rules, off] }, asked()).outcome.type).toBe('reject')
    expect(explain({ ...tree, l7Rules: [...tree.l7Rules, on] }, asked()).outcome.type).toBe('pool')
  })

  it.each([
    ['without a rule', {}, []],
    ['that is switched off', { adminStateUp: false }, [{ value: '/' }]],
  ])('%s takes nothing', (_what, given, rules) => {
    const policy = policyOf(listener.id, given)
    const l7Rules = rules.map((rule) => ruleOf(policy.id, rule))
    const tree = treeOf({ listeners: [listener], pools: [pool], l7Policies: [policy], l7Rules })
    expect(explain(tree, asked()).outcome.type).toBe('pool')
  })

  it('goes by its position, not by the order of rows', () => {
    const late = policyOf(listener.id, { position: 2 })
    const early = policyOf(listener.id, { position: 1, action: 'REDIRECT_PREFIX', redirectPrefix: 'https://x' })
    const l7Rules = [ruleOf(late.id), ruleOf(early.id)]
    const tree = treeOf({ listeners: [listener], pools: [pool], l7Policies: [late, early], l7Rules })
    const { outcome, policies } = explain(tree, asked({ path: '/a?b' }))
    expect(outcome).toMatchObject({ type: 'redirect', status: 302, location: 'https://x/a?b' })
    expect(policies.map(({ policyId, met, chosen }) => [policyId, met, chosen])).toEqual([
      [early.id, true, true],
      [late.id, true, false],
    ])
  })
})

describe('a listener', () => {
  it('is found by id, by port, or by the scheme', () => {
    const secure = listenerOf({ protocol: 'TERMINATED_HTTPS', protocolPort: 443 })
    const tree = treeOf({ listeners: [listener, secure] })
    expect(explain(tree, asked({ listenerId: secure.id })).listener).toBe(secure)
    expect(explain(tree, asked({ port: 443 })).listener).toBe(secure)
    expect(explain(tree, asked({ scheme: 'https' })).listener).toBe(secure)
    expect(explain(tree, asked()).listener).toBe(listener)
    expect(explain(tree, asked({ port: 81 }))).toMatchObject({ listener: null, outcome: { type: 'refused' } })
  })

  it('that is switched off, or whose balancer is, has no port open', () => {
    const off = treeOf({ listeners: [listenerOf({ adminStateUp: false })] })
    expect(explain(off, asked()).outcome.type).toBe('refused')
    const whole = treeOf({ loadBalancer: balancerOf({ adminStateUp: false }), listeners: [listener] })
    expect(explain(whole, asked()).outcome.type).toBe('refused')
  })

  it('answers 503 where there is no pool, or it is switched off', () => {
    const none = treeOf({ listeners: [listenerOf()] })
    expect(explain(none, asked()).outcome).toMatchObject({ type: 'unavailable', status: 503 })
    const off = treeOf({ listeners: [listener], pools: [{ ...pool, adminStateUp: false }] })
    expect(explain(off, asked()).outcome).toMatchObject({ type: 'unavailable', status: 503, poolId: pool.id })
  })

  it('of TCP reads no request', () => {
    const tree = rejecting({ value: '/' })
    const tcp = { ...tree, listeners: [{ ...listener, protocol: 'TCP' as const }] }
    expect(explain(tcp, asked())).toMatchObject({ policies: [], outcome: { type: 'pool', poolId: pool.id } })
  })
})

/** The same said another way: each rule as one regex of the platform's own engine. */
function patternOf({ type, compareType, value }: L7Rule): RegExp {
  const plain = value.replace(/[.*+?^${}()|[\]\\]/g, '\\$&')
  const source = {
    REGEX: value,
    STARTS_WITH: `^${plain}`,
    ENDS_WITH: `${plain}$`,
    CONTAINS: plain,
    EQUAL_TO: `^${plain}$`,
  }[compareType]
  return new RegExp(source, type === 'HOST_NAME' ? 'i' : '')
}

function seenBy({ type }: L7Rule, { host, path, of, cookie }: RandomRequest): string | null | undefined {
  const bare = new URL(path, 'http://x').pathname
  if (type === 'HOST_NAME') return new URL(`http://${host}`).hostname
  if (type === 'PATH') return bare
  if (type === 'FILE_TYPE') return /\.([^./]*)$/.exec(bare)?.[1]
  return type === 'HEADER' ? of : cookie
}

function expectedOutcome(tree: Tree, request: RandomRequest): string {
  for (const policy of tree.l7Policies) {
    const rules = tree.l7Rules.filter((rule) => rule.l7PolicyId === policy.id && rule.adminStateUp)
    const fits = (rule: L7Rule) => {
      const seen = seenBy(rule, request)
      return (seen != null && patternOf(rule).test(seen)) !== rule.invert
    }
    if (!policy.adminStateUp || rules.length === 0 || !rules.every(fits)) continue
    if (policy.action === 'REJECT') return 'reject 403'
    if (policy.action === 'REDIRECT_TO_POOL') return `pool ${policy.redirectPoolId}`
    return `redirect ${policy.redirectHttpCode} ${policy.redirectUrl ?? `${policy.redirectPrefix}${request.path}`}`
  }
  return `pool ${tree.listeners[0]?.defaultPoolId}`
}

it('says of 2,000 random requests to random policies what the same policies say as regexes', () => {
  const seed = Date.now() % 1_000_000
  const d = dice(seed)
  for (let n = 0; n < 2_000; n += 1) {
    const tree = randomTree(d)
    const request = randomRequest(d)
    const { outcome } = explain(tree, asked({ ...request, headers: headersOf(request) }))
    const said = [outcome.type, outcome.status, outcome.location ?? outcome.poolId].filter((one) => one !== null)
    expect({ seed, n, said: said.join(' ') }).toEqual({ seed, n, said: expectedOutcome(tree, request) })
  }
})
