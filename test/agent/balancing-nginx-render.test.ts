import { mkdirSync, readFileSync, writeFileSync } from 'node:fs'
import { join } from 'node:path'
import { servedCertificate } from '../../src/agent/balancing/drivers/nginx/certificates.js'
import type { NginxPlan } from '../../src/agent/balancing/drivers/nginx/plan.js'
import { prepare } from '../../src/agent/balancing/drivers/nginx/prepared.js'
import { renderNginx } from '../../src/agent/balancing/drivers/nginx/render.js'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
import { type Feature, lacksOf } from '../../src/wire/balancing/providers.js'
import { type Algorithm, compareTypes } from '../../src/wire/balancing/terms.js'
import { selfSigned } from '../support/certificate.js'
import { hostileBalancer, hostileTexts } from './support/nginx-hostile.js'
import { aBalancer, aListener, aMember, aMonitor, aPolicy, aPool, aRule, id } from './support/nginx-intents.js'

const DIRECTORY = '/var/lib/keelson/nginx/balancer'
const MODULE = '/usr/lib/nginx/modules/ngx_stream_module.so'
const certificate = { id: id('7', 1), chainPem: selfSigned.cert }

const render = (balancer: LoadBalancerIntent, more: Partial<NginxPlan> = {}): string =>
  renderNginx({
    balancer,
    seenWell: new Set(),
    directory: DIRECTORY,
    listenAddress: balancer.vip.address,
    streamModule: MODULE,
    certificates: new Map(balancer.certificates.map((each) => [each.id, servedCertificate(each, 'a key')])),
    ...more,
  })

/** `UPDATE_GOLDEN=1` writes them anew. */
function golden(name: string, text: string): void {
  const path = join('test/golden/nginx', `${name}.conf`)
  if (process.env.UPDATE_GOLDEN) {
    mkdirSync('test/golden/nginx', { recursive: true })
    writeFileSync(path, text)
  }
  expect(text).toBe(readFileSync(path, 'utf8'))
}

const everyRule = (['HOST_NAME', 'PATH', 'FILE_TYPE', 'HEADER', 'COOKIE'] as const).flatMap((type, at) =>
  compareTypes.map((compareType, nth) =>
    aRule(at * 10 + nth, {
      type,
      compareType,
      key: type === 'HEADER' ? 'X-Kind' : type === 'COOKIE' ? 'my.cookie' : null,
      value: compareType === 'REGEX' ? '^[a-c]+$' : 'a.b',
      invert: nth === 1,
    }),
  ),
)

describe('nginx.conf of a balancer', () => {
  it('carries HTTP with weights, a backup, one that is drained, and one that is off', () => {
    const members = [
      aMember(1, 8001, { weight: 3 }),
      aMember(2, 8002, { address: '2001:db8::2' }),
      aMember(3, 8003, { weight: 0 }),
      aMember(4, 8004, { draining: true }),
      aMember(5, 8005, { adminStateUp: false }),
      aMember(6, 8006, { backup: true }),
    ]
    const listener = aListener(1, 80, {
      connectionLimit: 100,
      allowedCidrs: ['10.0.0.0/8', '2001:db8::/32'],
      insertHeaders: { 'X-Forwarded-For': true, 'X-Forwarded-Port': true, 'X-Forwarded-Proto': true },
      timeouts: { clientDataMs: 0, memberConnectMs: 1500, memberDataMs: 20_000, tcpInspectMs: 0 },
    })
    golden('http', render(aBalancer([listener], [aPool(1, members)])))
  })

  it('has every kind of rule, in the order of the policies, and what is done with a request', () => {
    const policies = [
      aPolicy(1, everyRule.slice(0, 13), { action: 'REDIRECT_TO_POOL', redirectPoolId: id('c', 2) }),
      aPolicy(2, []),
      aPolicy(3, everyRule.slice(13), { action: 'REDIRECT_TO_URL', redirectUrl: 'https://x.example/$a?b="c"' }),
      aPolicy(4, [aRule(90, {})], {
        action: 'REDIRECT_PREFIX',
        redirectPrefix: 'https://y.example',
        redirectHttpCode: 308,
      }),
      aPolicy(5, [aRule(91, { value: '' })]),
    ]
    const pools = [
      aPool(1, [aMember(1, 8001)], { algorithm: 'LEAST_CONNECTIONS' }),
      aPool(2, [aMember(2, 8002)], { algorithm: 'SOURCE_IP' }),
    ]
    golden('rules', render(aBalancer([aListener(1, 80, { policies })], pools)))
  })

  it('carries TCP, HTTPS of the members, UDP, and TLS that it ends itself', () => {
    const pools = [
      aPool(1, [aMember(1, 8001)]),
      aPool(2, [aMember(2, 8002), aMember(3, 8003, { backup: true })], { protocol: 'TCP', algorithm: 'SOURCE_IP' }),
      aPool(3, [aMember(4, 8004)], { protocol: 'UDP' }),
    ]
    const listeners = [
      aListener(1, 443, { protocol: 'TERMINATED_HTTPS', certificateIds: [certificate.id] }),
      aListener(2, 5000, {
        protocol: 'TCP',
        defaultPoolId: id('c', 2),
        allowedCidrs: ['192.0.2.0/24'],
        connectionLimit: 7,
      }),
      aListener(3, 8443, { protocol: 'HTTPS', defaultPoolId: id('c', 2) }),
      aListener(4, 53, { protocol: 'UDP', defaultPoolId: id('c', 3) }),
    ]
    const vip = { ...aBalancer([], []).vip, address: '2001:db8::1' }
    golden('others', render(aBalancer(listeners, pools, { certificates: [certificate], vip })))
  })

  it('opens no port of what is off, nor one that passes on what comes with nobody behind', () => {
    const dead = aPool(1, [aMember(1, 8001)], { monitor: aMonitor() })
    const listeners = [
      aListener(1, 81, { adminStateUp: false }),
      aListener(2, 82, { protocol: 'TCP' }),
      aListener(3, 83, { protocol: 'TCP', defaultPoolId: null }),
    ]
    expect(render(aBalancer(listeners, [dead]))).not.toContain('listen ')
    expect(render(aBalancer([aListener(1, 81)], [dead], { adminStateUp: false }))).not.toContain('listen ')
    const open = render(aBalancer(listeners, [dead]), { seenWell: new Set([id('e', 1)]) })
    expect(open.match(/listen .*/g)).toEqual(['listen 127.0.48.1:82;'])
  })

  it('uses a member that is checked only after it was seen well, and a backup only where no other is left', () => {
    const members = [aMember(1, 8001), aMember(2, 8002), aMember(3, 8003, { backup: true })]
    const servers = (algorithm: Algorithm, ...well: number[]) =>
      render(aBalancer([aListener(1, 80)], [aPool(1, members, { algorithm, monitor: aMonitor() })]), {
        seenWell: new Set(well.map((number) => id('e', number))),
      })
        .match(/server 127.*/g)
        ?.map((line) => line.replace(/.*:(\d+) weight=1 max_fails=0(.*);/, '$1$2'))
    expect(servers('ROUND_ROBIN')).toBeUndefined()
    expect(servers('ROUND_ROBIN', 1, 2, 3)).toEqual(['8001', '8002', '8003 backup'])
    expect(servers('ROUND_ROBIN', 1)).toEqual(['8001', '8002 down', '8003 backup down'])
    expect(servers('ROUND_ROBIN', 3)).toEqual(['8001 down', '8002 down', '8003'])
    expect(servers('SOURCE_IP', 1, 2, 3)).toEqual(['8001', '8002', '8003 down'])
    expect(servers('SOURCE_IP', 3)).toEqual(['8001 down', '8002 down', '8003'])
    expect(servers('SOURCE_IP_PORT', 1, 3)).toEqual(['8001', '8002 down', '8003 down'])
  })

  it('refuses what it cannot say: a name in a regular expression, a line break in an address, a certificate without names or key', () => {
    const withRule = (more: object) =>
      aBalancer([aListener(1, 80, { policies: [aPolicy(1, [aRule(1, more)])] })], [aPool(1, [aMember(1, 8001)])])
    for (const value of ['(?<l0_pool>.*)', "(?'l0_pool'.*)", '(?P<l0_pool>.*)']) {
      expect(() => render(withRule({ compareType: 'REGEX', value }))).toThrow('cannot have a name')
    }
    expect(render(withRule({ compareType: 'REGEX', value: '(?<=a)b(?<!c)' }))).toContain('(?<=a)b(?<!c)')
    expect(() => render(withRule({ type: 'HEADER', key: 'a b', value: '' }))).toThrow("a header's name")
    const redirect = aPolicy(1, [aRule(1, {})], {
      action: 'REDIRECT_TO_URL',
      redirectUrl: 'http://a/\r\nSet-Cookie: a',
    })
    expect(() => render(aBalancer([aListener(1, 80, { policies: [redirect] })], []))).toThrow('control character')
    expect(() => render(aBalancer([aListener(1, 80, { allowedCidrs: ['all; }'] })], []))).toThrow('no range')
    expect(() => render(aBalancer([aListener(1, 443, { protocol: 'TERMINATED_HTTPS' })], []))).toThrow('no certificate')
    expect(() => servedCertificate(certificate, undefined)).toThrow('without its key')
    expect(() => servedCertificate({ ...certificate, chainPem: 'nonsense' }, 'a key')).toThrow('cannot be read')
  })
})

/** Structure alone: what is between quotes is taken out. */
const skeleton = (text: string): string => text.replace(/"(?:\\[\s\S]|[^"\\])*"/g, '""').replace(/\$http_\w+/g, '$http')

describe('a balancer that asks for what nginx does not do here', () => {
  const asking: Partial<Record<Feature, LoadBalancerIntent>> = {
    sctp: aBalancer([aListener(1, 80, { protocol: 'SCTP' })], []),
    prometheus: aBalancer([aListener(1, 80, { protocol: 'PROMETHEUS' })], []),
    'proxy-protocol': aBalancer([], [aPool(1, [], { protocol: 'PROXY' })]),
    'cookie-persistence': aBalancer([], [aPool(1, [], { persistence: { type: 'HTTP_COOKIE', cookieName: null } })]),
    'l7-client-certificate-rules': aBalancer(
      [aListener(1, 80, { policies: [aPolicy(1, [aRule(1, { type: 'SSL_CONN_HAS_CERT' })])] })],
      [],
    ),
    'ping-monitor': aBalancer([], [aPool(1, [], { monitor: aMonitor({ type: 'PING' }) })]),
  }

  it.each(lacksOf.nginx)('is refused by the name of it: %s', (feature) => {
    expect(() => prepare({ generation: 1, balancer: asking[feature]!, keys: {} })).toThrow(`does not carry ${feature}`)
  })
})

describe('a text of a user', () => {
  it.each(hostileTexts)('stays a text: %j', (text) => {
    const seenWell = new Set([id('e', 1)])
    const plain = skeleton(render(hostileBalancer('plain'), { seenWell }))
    expect(skeleton(render(hostileBalancer(text), { seenWell }))).toBe(plain)
  })
})
