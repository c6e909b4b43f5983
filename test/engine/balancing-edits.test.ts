import 'reflect-metadata'
import { createHealthMonitor, updateHealthMonitor } from '../../src/engine/balancing/edits/health-monitors.js'
import { createL7Policy, deleteL7Policy, updateL7Policy } from '../../src/engine/balancing/edits/l7-policies.js'
import { createL7Rule, updateL7Rule } from '../../src/engine/balancing/edits/l7-rules.js'
import { createListener, deleteListener, updateListener } from '../../src/engine/balancing/edits/listeners.js'
import { updateLoadBalancer } from '../../src/engine/balancing/edits/load-balancers.js'
import { createMember, deleteMember, putMembers, updateMember } from '../../src/engine/balancing/edits/members.js'
import { createPool, deletePool, updatePool } from '../../src/engine/balancing/edits/pools.js'
import type { Edit, Tree } from '../../src/engine/balancing/tree.js'
import { Conflict, type DomainError, Invalid, NotFound, Unsupported } from '../../src/engine/platform/errors.js'
import { edited, emptyTree, idOf } from './support/balancer-tree.js'

const [LISTENER, POOL, OTHER_POOL, MEMBER, MONITOR, POLICY, RULE, MISSING] = [10, 20, 21, 30, 40, 50, 60, 99].map(
  idOf,
) as [string, string, string, string, string, string, string, string]

const http = createListener({ id: LISTENER, protocol: 'HTTP', protocolPort: 80 })
const pool = createPool({ id: POOL, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', listenerId: LISTENER })
const reject = (id: string, position?: number) => createL7Policy(LISTENER, { id, action: 'REJECT', position })
const monitored = createHealthMonitor(POOL, { id: MONITOR, type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 })
const web: Tree = edited(emptyTree(), http, pool)

/** What an edit is refused with. */
function refusal(tree: Tree, edit: Edit): DomainError {
  try {
    edit(tree)
  } catch (error) {
    return error as DomainError
  }
  throw new Error('it was not refused')
}

/** The fields that are at fault. */
function faulty(tree: Tree, edit: Edit): string[] {
  const error = refusal(tree, edit)
  expect(error).toBeInstanceOf(Invalid)
  return (error as Invalid).faults.map(({ field }) => field)
}

describe('an edit of a load balancer', () => {
  it('leaves the tree that it was given as it was', () => {
    const before = structuredClone(web)
    edited(web, updateListener(LISTENER, { name: 'front' }), deletePool(POOL))
    expect(structuredClone(web)).toEqual(before)
  })

  it('keeps what is left out and sets what is null to its default', () => {
    const named = edited(web, updateLoadBalancer({ name: 'shop', tags: ['a'], adminStateUp: false }))
    const next = edited(named, updateLoadBalancer({ name: null, adminStateUp: null }))
    expect(next.loadBalancer).toMatchObject({ name: '', tags: ['a'], adminStateUp: true })
  })
})

describe('an edit that says what is there already', () => {
  it('leaves every row the very object that it was', () => {
    const member = { address: '192.0.2.1', protocolPort: 80 }
    const full = edited(web, reject(POLICY), createMember(POOL, member), monitored)
    const next = edited(
      full,
      updateLoadBalancer({ name: 'web' }),
      updateListener(LISTENER, { insertHeaders: {}, allowedCidrs: [] }),
      updatePool(POOL, { lbAlgorithm: 'ROUND_ROBIN' }),
      putMembers(POOL, [{ ...member, weight: 1 }], { additive: false }),
      updateHealthMonitor(MONITOR, { delay: 5 }),
      updateL7Policy(POLICY, { position: 1, action: 'REJECT' }),
    )
    expect(next.loadBalancer).toBe(full.loadBalancer)
    for (const noun of ['listeners', 'pools', 'members', 'healthMonitors', 'l7Policies'] as const) {
      expect(next[noun][0]).toBe(full[noun][0])
    }
  })
})

describe('a listener', () => {
  it("begins with Octavia's defaults", () => {
    expect(edited(emptyTree(), http).listeners).toEqual([
      expect.objectContaining({
        id: LISTENER,
        projectId: idOf(2),
        loadBalancerId: idOf(1),
        connectionLimit: -1,
        timeoutClientData: 50_000,
        timeoutMemberConnect: 5_000,
        timeoutMemberData: 50_000,
        timeoutTcpInspect: 0,
        defaultPoolId: null,
        insertHeaders: {},
      }),
    ])
  })

  it('has its port alone among those that the same transport carries', () => {
    const taken = refusal(web, createListener({ protocol: 'TCP', protocolPort: 80 }))
    expect(taken).toMatchObject({ type: 'port-taken', extra: { listenerId: LISTENER } })
    const simulated = edited(emptyTree({ provider: 'simulated' }), http)
    const both = edited(simulated, createListener({ protocol: 'UDP', protocolPort: 80 }))
    expect(both.listeners).toHaveLength(2)
  })

  it('inserts headers only where it sees requests, and only those that there are', () => {
    const insertHeaders = { 'X-Forwarded-For': true }
    expect(edited(web, updateListener(LISTENER, { insertHeaders })).listeners[0]).toMatchObject({ insertHeaders })
    expect(faulty(web, createListener({ protocol: 'TCP', protocolPort: 81, insertHeaders }))).toEqual(['insertHeaders'])
    const unknown = { 'X-Bad': true } as never
    expect(faulty(web, updateListener(LISTENER, { insertHeaders: unknown }))).toEqual(['insertHeaders'])
  })

  it.each(['nonsense', '10.0.0.0', '10.0.0.0/33', '2001:db8::/32', '10.0.0.0/8/8'])(
    'refuses %s among its CIDRs',
    (cidr) => {
      expect(faulty(web, updateListener(LISTENER, { allowedCidrs: ['10.0.0.0/8', cidr] }))).toEqual(['allowedCidrs[1]'])
    },
  )

  it('terminates TLS with a certificate, and has none otherwise', () => {
    const tls = { protocol: 'TERMINATED_HTTPS', protocolPort: 443 } as const
    expect(faulty(web, createListener(tls))).toEqual(['defaultCertificateId'])
    expect(edited(web, createListener({ ...tls, sniCertificateIds: [idOf(70)] })).listeners).toHaveLength(2)
    expect(faulty(web, updateListener(LISTENER, { defaultCertificateId: idOf(70) }))).toEqual(['defaultCertificateId'])
  })

  it('leads to a pool that there is, of a protocol that fits', () => {
    expect(refusal(web, updateListener(LISTENER, { defaultPoolId: MISSING }))).toBeInstanceOf(NotFound)
    const tcp = edited(web, createPool({ id: OTHER_POOL, protocol: 'TCP', lbAlgorithm: 'SOURCE_IP' }))
    expect(faulty(tcp, updateListener(LISTENER, { defaultPoolId: OTHER_POOL }))).toEqual(['defaultPoolId'])
    expect(edited(web, updateListener(LISTENER, { defaultPoolId: null })).listeners[0]?.defaultPoolId).toBeNull()
  })

  it('goes with its policies and their rules, and leaves pools', () => {
    const full = edited(
      web,
      reject(POLICY),
      createL7Rule(POLICY, { type: 'PATH', compareType: 'EQUAL_TO', value: '/x' }),
    )
    const next = edited(full, deleteListener(LISTENER))
    expect(next).toMatchObject({ listeners: [], l7Policies: [], l7Rules: [], pools: [{ id: POOL }] })
    expect(refusal(next, deleteListener(LISTENER))).toBeInstanceOf(NotFound)
  })
})

describe('a pool', () => {
  it('becomes the default of a listener that has none', () => {
    expect(web.listeners[0]?.defaultPoolId).toBe(POOL)
    const second = createPool({ protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', listenerId: LISTENER })
    expect(refusal(web, second)).toMatchObject({ type: 'pool-taken' })
    expect(
      refusal(web, createPool({ protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN', listenerId: MISSING })),
    ).toBeInstanceOf(NotFound)
  })

  it('fits its listener', () => {
    const bare = edited(emptyTree(), http)
    const tcp = createPool({ protocol: 'TCP', lbAlgorithm: 'ROUND_ROBIN', listenerId: LISTENER })
    expect(faulty(bare, tcp)).toEqual(['protocol'])
  })

  it.each([
    ['APP_COOKIE', undefined, ['sessionPersistence.cookieName']],
    ['APP_COOKIE', 'bad name', ['sessionPersistence.cookieName']],
    ['HTTP_COOKIE', 'sid', ['sessionPersistence.cookieName']],
    ['SOURCE_IP', 'sid', ['sessionPersistence.cookieName']],
    [undefined, 'sid', ['sessionPersistence.type']],
  ] as const)('refuses persistence %s with the cookie %s', (type, cookieName, fields) => {
    expect(faulty(web, updatePool(POOL, { sessionPersistence: { type, cookieName } }))).toEqual(fields)
  })

  it('keeps the type of its persistence when only the cookie is said, and loses it by null', () => {
    const kept = edited(
      web,
      updatePool(POOL, { sessionPersistence: { type: 'APP_COOKIE', cookieName: 'a' } }),
      updatePool(POOL, { sessionPersistence: { cookieName: 'b' } }),
    )
    expect(kept.pools[0]?.sessionPersistence).toEqual({ type: 'APP_COOKIE', cookieName: 'b' })
    expect(edited(kept, updatePool(POOL, { sessionPersistence: null })).pools[0]?.sessionPersistence).toBeNull()
    const other = edited(kept, updatePool(POOL, { sessionPersistence: { type: 'SOURCE_IP' } }))
    expect(other.pools[0]?.sessionPersistence).toEqual({ type: 'SOURCE_IP', cookieName: null })
  })

  it('sees no cookies where it only passes bytes on', () => {
    const sessionPersistence = { type: 'HTTP_COOKIE' } as const
    const tcp = createPool({ protocol: 'TCP', lbAlgorithm: 'ROUND_ROBIN', sessionPersistence })
    expect(faulty(web, tcp)).toEqual(['sessionPersistence.type'])
  })

  it('goes with its members and monitor, but not while a policy leads to it', () => {
    const member = createMember(POOL, { address: '192.0.2.1', protocolPort: 80 })
    const full = edited(web, member, monitored)
    const next = edited(full, deletePool(POOL))
    expect(next).toMatchObject({ pools: [], members: [], healthMonitors: [], listeners: [{ defaultPoolId: null }] })
    const led = edited(full, createL7Policy(LISTENER, { action: 'REDIRECT_TO_POOL', redirectPoolId: POOL }))
    expect(refusal(led, deletePool(POOL))).toMatchObject({ type: 'pool-in-use' })
  })
})

describe('a member', () => {
  const one = createMember(POOL, { id: MEMBER, address: '192.0.2.1', protocolPort: 80, weight: 5 })

  it('is there once by address and port, however its address is spelled', () => {
    const v6 = edited(web, one, createMember(POOL, { address: '2001:db8::1', protocolPort: 80 }))
    for (const address of ['192.0.2.1', '2001:DB8:0:0::1']) {
      expect(refusal(v6, createMember(POOL, { address, protocolPort: 80 }))).toMatchObject({ type: 'member-taken' })
    }
    expect(edited(v6, createMember(POOL, { address: '192.0.2.1', protocolPort: 81 })).members).toHaveLength(3)
  })

  it('has no address that is of one host alone', () => {
    expect(faulty(web, createMember(POOL, { address: 'fe80::1%eth0', protocolPort: 80 }))).toEqual(['address'])
    expect(faulty(edited(web, one), updateMember(POOL, MEMBER, { monitorAddress: 'fe80::1%eth0' }))).toEqual([
      'monitorAddress',
    ])
    const zoned = [{ address: 'fe80::1%eth0', protocolPort: 80 }]
    expect(faulty(web, putMembers(POOL, zoned, { additive: true }))).toEqual(['members[0].address'])
  })

  it('is found in its own pool alone', () => {
    const full = edited(web, one, createPool({ id: OTHER_POOL, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' }))
    expect(refusal(full, updateMember(OTHER_POOL, MEMBER, { weight: 1 }))).toBeInstanceOf(NotFound)
    expect(refusal(full, deleteMember(OTHER_POOL, MEMBER))).toBeInstanceOf(NotFound)
    expect(refusal(full, createMember(MISSING, { address: '192.0.2.1', protocolPort: 80 }))).toBeInstanceOf(NotFound)
    expect(edited(full, deleteMember(POOL, MEMBER)).members).toEqual([])
  })

  it('keeps its id and what is not said when all are put, and goes when it is not among them', () => {
    const full = edited(web, one, createMember(POOL, { id: idOf(31), address: '192.0.2.2', protocolPort: 80 }))
    const wanted = [
      { address: '192.0.2.1', protocolPort: 80, name: 'a' },
      { address: '192.0.2.3', protocolPort: 80 },
    ]
    const next = edited(full, putMembers(POOL, wanted, { additive: false }))
    expect(next.members.map(({ address }) => address)).toEqual(['192.0.2.1', '192.0.2.3'])
    expect(next.members[0]).toMatchObject({ id: MEMBER, name: 'a', weight: 5 })
    expect(edited(full, putMembers(POOL, wanted, { additive: true })).members).toHaveLength(3)
  })

  it('is put once, and only in the pool that is named', () => {
    const twice = [1, 2].map(() => ({ address: '192.0.2.1', protocolPort: 80 }))
    expect(refusal(web, putMembers(POOL, twice, { additive: false }))).toMatchObject({ type: 'member-taken' })
    const other = edited(web, one, createPool({ id: OTHER_POOL, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' }))
    expect(edited(other, putMembers(OTHER_POOL, [], { additive: false })).members).toHaveLength(1)
  })

  it('is one of two thousand at most', () => {
    const inputs = Array.from({ length: 2_001 }, (_, index) => ({ address: '192.0.2.1', protocolPort: index + 1 }))
    expect(edited(web, putMembers(POOL, inputs.slice(1), { additive: false })).members).toHaveLength(2_000)
    const refused = refusal(web, putMembers(POOL, inputs, { additive: false }))
    expect(refused).toMatchObject({ type: 'too-many-members', extra: { limit: 2_000 } })
  })

  it('is a server for each listener that leads to it, ten thousand of them at most', () => {
    const inputs = Array.from({ length: 2_000 }, (_, index) => ({ address: '192.0.2.1', protocolPort: index + 1 }))
    const port = (index: number) =>
      createListener({ protocol: 'HTTP', protocolPort: 9_000 + index, defaultPoolId: POOL })
    const full = edited({ ...web, listeners: [] }, putMembers(POOL, inputs, { additive: false }))
    const five = edited(full, port(1), port(2), port(3), port(4), port(5))
    expect(five.listeners).toHaveLength(5)
    expect(refusal(five, port(6))).toMatchObject({ type: 'too-many-servers', extra: { limit: 10_000 } })
  })
})

describe('a health monitor', () => {
  const tcp = { type: 'TCP', delay: 5, timeout: 3, maxRetries: 2 } as const

  it('asks for / and expects 200 unless it is told otherwise', () => {
    expect(edited(web, monitored).healthMonitors[0]).toMatchObject({
      httpMethod: 'GET',
      urlPath: '/',
      expectedCodes: '200',
      maxRetriesDown: 3,
    })
    expect(edited(web, createHealthMonitor(POOL, tcp)).healthMonitors[0]).toMatchObject({ httpMethod: null })
  })

  it('is the only one of its pool', () => {
    expect(refusal(edited(web, monitored), createHealthMonitor(POOL, tcp))).toMatchObject({ type: 'monitor-taken' })
  })

  it('knows nothing of HTTP when it opens connections only', () => {
    const said = { httpMethod: 'GET', urlPath: '/', expectedCodes: '200' } as const
    expect(faulty(web, createHealthMonitor(POOL, { ...tcp, ...said }))).toEqual(Object.keys(said))
    const made = edited(web, createHealthMonitor(POOL, { ...tcp, id: MONITOR }))
    expect(faulty(made, updateHealthMonitor(MONITOR, { urlPath: '/x' }))).toEqual(['urlPath'])
  })

  it.each([
    ['urlPath', 'health'],
    ['urlPath', '/a b'],
    ['expectedCodes', '20'],
    ['expectedCodes', '200-'],
    ['domainName', 'a b'],
  ])('refuses the %s %p', (field, value) => {
    const edit = updateHealthMonitor(MONITOR, { httpVersion: '1.1', [field]: value })
    expect(faulty(edited(web, monitored), edit)).toEqual([field])
  })

  it('names a host in HTTP 1.1 alone', () => {
    const made = edited(web, monitored)
    expect(faulty(made, updateHealthMonitor(MONITOR, { domainName: 'a.example' }))).toEqual(['domainName'])
    const named = edited(made, updateHealthMonitor(MONITOR, { domainName: 'a.example', httpVersion: '1.1' }))
    expect(named.healthMonitors[0]).toMatchObject({ domainName: 'a.example' })
  })

  it('is of a type by which such a pool can be checked', () => {
    expect(faulty(web, createHealthMonitor(POOL, { ...tcp, type: 'UDP-CONNECT' }))).toEqual(['type'])
  })
})

describe('an L7 policy', () => {
  const positions = (tree: Tree) =>
    Object.fromEntries(tree.l7Policies.map(({ id, position }) => [Number(id.slice(-2)), position]))
  const three = edited(web, reject(idOf(51)), reject(idOf(52)), reject(idOf(53)))

  it('comes last, or where it is said, and moves the rest on', () => {
    expect(positions(three)).toEqual({ 51: 1, 52: 2, 53: 3 })
    expect(positions(edited(three, reject(idOf(54), 2)))).toEqual({ 51: 1, 54: 2, 52: 3, 53: 4 })
    expect(positions(edited(three, reject(idOf(54), 99)))).toEqual({ 51: 1, 52: 2, 53: 3, 54: 4 })
  })

  it('moves without leaving a gap', () => {
    expect(positions(edited(three, updateL7Policy(idOf(53), { position: 1 })))).toEqual({ 53: 1, 51: 2, 52: 3 })
    expect(positions(edited(three, updateL7Policy(idOf(51), { position: 3 })))).toEqual({ 52: 1, 53: 2, 51: 3 })
    expect(positions(edited(three, deleteL7Policy(idOf(51))))).toEqual({ 52: 1, 53: 2 })
  })

  it('changes no other that stays where it is', () => {
    const next = edited(three, updateL7Policy(idOf(53), { name: 'x' }))
    expect(next.l7Policies[0]).toBe(three.l7Policies[0])
  })

  it.each([
    ['REDIRECT_TO_POOL', 'redirectPoolId'],
    ['REDIRECT_TO_URL', 'redirectUrl'],
    ['REDIRECT_PREFIX', 'redirectPrefix'],
  ] as const)('of %s needs a %s', (action, field) => {
    expect(faulty(web, createL7Policy(LISTENER, { action }))).toEqual([field])
  })

  it.each(['www.example.com', 'ftp://a.example', 'http://a.example/ b', 'http://'])(
    'refuses to redirect to %p',
    (url) => {
      expect(faulty(web, createL7Policy(LISTENER, { action: 'REDIRECT_TO_URL', redirectUrl: url }))).toEqual([
        'redirectUrl',
      ])
    },
  )

  it('redirects with 302 unless it is told otherwise, and keeps nothing of another action', () => {
    const made = edited(
      web,
      createL7Policy(LISTENER, { id: POLICY, action: 'REDIRECT_TO_URL', redirectUrl: 'http://a.example/' }),
    )
    expect(made.l7Policies[0]).toMatchObject({ redirectHttpCode: 302 })
    const pooled = edited(made, updateL7Policy(POLICY, { action: 'REDIRECT_TO_POOL', redirectPoolId: POOL }))
    expect(pooled.l7Policies[0]).toMatchObject({ redirectPoolId: POOL, redirectUrl: null, redirectHttpCode: null })
  })

  it('is for listeners that see requests, and for pools that fit', () => {
    const tcp = edited(web, createListener({ id: idOf(11), protocol: 'TCP', protocolPort: 22 }))
    expect(faulty(tcp, createL7Policy(idOf(11), { action: 'REJECT' }))).toEqual(['listenerId'])
    const other = edited(web, createPool({ id: OTHER_POOL, protocol: 'TCP', lbAlgorithm: 'ROUND_ROBIN' }))
    const led = createL7Policy(LISTENER, { action: 'REDIRECT_TO_POOL', redirectPoolId: OTHER_POOL })
    expect(faulty(other, led)).toEqual(['redirectPoolId'])
  })
})

describe('an L7 rule', () => {
  const policed = edited(web, reject(POLICY))
  const path = (value: string) => ({ type: 'PATH', compareType: 'STARTS_WITH', value }) as const

  it.each([
    [{ type: 'HEADER', compareType: 'EQUAL_TO', value: 'x' }, 'key'],
    [{ type: 'COOKIE', compareType: 'EQUAL_TO', value: 'x' }, 'key'],
    [{ type: 'HEADER', compareType: 'EQUAL_TO', key: 'a b', value: 'x' }, 'key'],
    [{ type: 'COOKIE', compareType: 'EQUAL_TO', key: 'a', value: 'x;y' }, 'value'],
    [{ type: 'FILE_TYPE', compareType: 'STARTS_WITH', value: 'jpg' }, 'compareType'],
    [{ type: 'PATH', compareType: 'REGEX', value: '(' }, 'value'],
    [{ type: 'PATH', compareType: 'EQUAL_TO', value: '' }, 'value'],
    [{ type: 'HOST_NAME', compareType: 'EQUAL_TO', value: 'a\nb' }, 'value'],
    [{ type: 'SSL_CONN_HAS_CERT', compareType: 'EQUAL_TO', value: 'False' }, 'value'],
  ] as const)('that is %j is refused for its %s', (input, field) => {
    expect(faulty(policed, createL7Rule(POLICY, input))).toEqual([field])
  })

  it('takes an expression with the flags of PCRE', () => {
    const made = edited(policed, createL7Rule(POLICY, { type: 'PATH', compareType: 'REGEX', value: '(?i)^/a+$' }))
    expect(made.l7Rules[0]).toMatchObject({ value: '(?i)^/a+$', invert: false, key: null })
  })

  it('is one of fifty at most', () => {
    const fifty = edited(policed, ...Array.from({ length: 50 }, (_, index) => createL7Rule(POLICY, path(`/${index}`))))
    expect(refusal(fifty, createL7Rule(POLICY, path('/x')))).toMatchObject({ type: 'too-many-rules' })
    expect(refusal(fifty, createL7Rule(POLICY, path('/x')))).toBeInstanceOf(Conflict)
  })

  it('is changed by what comes of it as a whole', () => {
    const made = edited(policed, createL7Rule(POLICY, { ...path('/x'), id: RULE }))
    expect(faulty(made, updateL7Rule(POLICY, RULE, { type: 'FILE_TYPE' }))).toEqual(['compareType'])
    expect(refusal(made, updateL7Rule(MISSING, RULE, { value: '/y' }))).toBeInstanceOf(NotFound)
  })
})

describe('what a provider lacks', () => {
  it.each([
    ['haproxy', createListener({ protocol: 'UDP', protocolPort: 53 }), 'udp'],
    ['haproxy', createHealthMonitor(POOL, { type: 'PING', delay: 5, timeout: 3, maxRetries: 2 }), 'ping-monitor'],
    ['nginx', updatePool(POOL, { sessionPersistence: { type: 'HTTP_COOKIE' } }), 'cookie-persistence'],
  ] as const)('is refused of %s and named', (provider, edit, feature) => {
    const tree = edited(emptyTree({ provider }), http, pool)
    const refused = refusal(tree, edit)
    expect(refused).toBeInstanceOf(Unsupported)
    expect(refused.extra).toMatchObject({ provider, feature })
  })
})
