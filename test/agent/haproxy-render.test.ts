import { execFileSync } from 'node:child_process'
import { existsSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { certificateFiles } from '../../src/agent/balancing/drivers/haproxy/certificates.js'
import { renderHaproxy } from '../../src/agent/balancing/drivers/haproxy/render.js'
import { FaultError } from '../../src/agent/fault.js'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
import { compareTypes, monitorTypes, ruleTypes } from '../../src/wire/balancing/terms.js'
import { selfSigned } from '../support/certificate.js'
import {
  aBalancer,
  aListener,
  aMember,
  aMonitor,
  aPolicy,
  aPool,
  aRule,
  hostNetwork,
  idOf,
} from './support/balancer-intent.js'

const host = { maxConnections: 5_000, account: null }
const keysOf = ({ certificates }: LoadBalancerIntent) =>
  Object.fromEntries(certificates.map(({ id }) => [id, selfSigned.key]))

function rendered(balancer: LoadBalancerIntent): string {
  return renderHaproxy(balancer, certificateFiles(balancer, keysOf(balancer)).crtLists, host)
}

/** HAProxy's own verdict, where there is one; null: it takes it. */
function verdict(balancer: LoadBalancerIntent): string | null {
  if (!existsSync('/usr/sbin/haproxy')) return null
  const directory = mkdtempSync(join(tmpdir(), 'keelson-haproxy-'))
  try {
    mkdirSync(join(directory, 'certificates'))
    const { files } = certificateFiles(balancer, keysOf(balancer))
    for (const [name, content] of files) writeFileSync(join(directory, name), content)
    writeFileSync(join(directory, 'cfg'), rendered(balancer))
    execFileSync('/usr/sbin/haproxy', ['-c', '-q', '-C', directory, '-f', 'cfg'], { stdio: 'pipe' })
    return null
  } catch (error) {
    return String((error as { stderr: Buffer }).stderr)
  } finally {
    rmSync(directory, { recursive: true })
  }
}

const tlsCertificates = [1, 2].map((number) => ({ id: idOf('8', number), chainPem: selfSigned.cert }))

const cases: Readonly<Record<string, LoadBalancerIntent>> = {
  http: aBalancer({
    listeners: [
      aListener(1, {
        connectionLimit: 100,
        allowedCidrs: ['10.0.0.0/8', '2001:db8::/32', '192.0.2.7'],
        insertHeaders: { 'X-Forwarded-For': true, 'X-Forwarded-Port': true, 'X-Forwarded-Proto': true },
        timeouts: { clientDataMs: 1_000, memberConnectMs: 2_000, memberDataMs: 3_000, tcpInspectMs: 4_000 },
      }),
    ],
    pools: [
      aPool(1, {
        persistence: { type: 'HTTP_COOKIE', cookieName: null },
        monitor: aMonitor({
          httpMethod: 'HEAD',
          urlPath: '/health?deep=1',
          expectedCodes: '200,202-204',
          httpVersion: '1.1',
          domainName: 'www.example.org',
          delay: 5,
          timeout: 3,
          maxRetries: 3,
          maxRetriesDown: 4,
        }),
        members: [
          aMember(1, { weight: 5 }),
          aMember(2, { weight: 0 }),
          aMember(3, { draining: true, weight: 7 }),
          aMember(4, { backup: true, monitorAddress: '127.0.0.9', monitorPort: 99 }),
          aMember(5, { adminStateUp: false }),
          aMember(6, { address: '2001:db8::6' }),
        ],
      }),
    ],
  }),
  tls: aBalancer({
    vip: { address: '2001:db8::1', network: { ...hostNetwork, cidr: '2001:db8::/64' } },
    certificates: tlsCertificates,
    listeners: [
      aListener(1, {
        protocol: 'TERMINATED_HTTPS',
        port: 443,
        certificateIds: [idOf('8', 2), idOf('8', 1)],
        insertHeaders: { 'X-Forwarded-Proto': true },
      }),
      aListener(2, { protocol: 'HTTPS', port: 8443, defaultPoolId: idOf('d', 2) }),
    ],
    pools: [
      aPool(1, {
        algorithm: 'LEAST_CONNECTIONS',
        persistence: { type: 'APP_COOKIE', cookieName: 'JSESSIONID' },
        monitor: aMonitor({ type: 'HTTPS', domainName: 'inside.example.org' }),
        members: [aMember(1)],
      }),
      aPool(2, { protocol: 'HTTPS', monitor: aMonitor({ type: 'TLS-HELLO' }), members: [aMember(2)] }),
    ],
  }),
  tcp: aBalancer({
    listeners: [
      aListener(1, { protocol: 'TCP', port: 25, connectionLimit: 0 }),
      aListener(2, { protocol: 'TCP', port: 26, defaultPoolId: idOf('d', 2) }),
      aListener(3, { protocol: 'HTTP', port: 27, defaultPoolId: idOf('d', 3) }),
      aListener(4, { protocol: 'PROMETHEUS', port: 9100, defaultPoolId: null }),
      aListener(5, { protocol: 'TCP', port: 28, adminStateUp: false }),
    ],
    pools: [
      aPool(1, {
        protocol: 'TCP',
        algorithm: 'SOURCE_IP',
        persistence: { type: 'SOURCE_IP', cookieName: null },
        monitor: aMonitor({ type: 'TCP' }),
        members: [aMember(1)],
      }),
      aPool(2, { protocol: 'PROXYV2', monitor: aMonitor({ type: 'TCP' }), members: [aMember(2)] }),
      aPool(3, { protocol: 'PROXY', monitor: aMonitor({ adminStateUp: false }), members: [aMember(3)] }),
      aPool(4, { adminStateUp: false, monitor: aMonitor({ type: 'TCP' }), members: [aMember(4)] }),
    ],
  }),
  policies: aBalancer({
    listeners: [
      aListener(1, {
        policies: [
          aPolicy(1, {
            rules: [
              aRule(1, { type: 'HOST_NAME', compareType: 'EQUAL_TO', value: 'www.example.org' }),
              aRule(2, { type: 'HEADER', compareType: 'CONTAINS', key: 'X-Bot', value: 'a b', invert: true }),
            ],
          }),
          aPolicy(2, {
            action: 'REDIRECT_TO_POOL',
            redirectPoolId: idOf('d', 2),
            rules: [aRule(3, { type: 'FILE_TYPE', compareType: 'EQUAL_TO', value: '.jpg' })],
          }),
          aPolicy(3, {
            action: 'REDIRECT_TO_URL',
            redirectUrl: 'https://example.org/100%?a=b#c',
            redirectHttpCode: 307,
            rules: [aRule(4, { type: 'COOKIE', compareType: 'REGEX', key: 'beta', value: '^(yes|on)$' })],
          }),
          aPolicy(4, {
            action: 'REDIRECT_PREFIX',
            redirectPrefix: 'https://new.example.org',
            rules: [aRule(5, { compareType: 'ENDS_WITH', value: '/' })],
          }),
          aPolicy(5, { rules: [] }),
        ],
      }),
    ],
    pools: [aPool(1, { members: [aMember(1)] }), aPool(2, { members: [aMember(2)] })],
  }),
  down: aBalancer({ adminStateUp: false, pools: [aPool(1, { monitor: aMonitor(), members: [aMember(1)] })] }),
  empty: aBalancer({ listeners: [], pools: [] }),
}

describe('the configuration of HAProxy', () => {
  it.each(Object.keys(cases))('of %s is as it was agreed, and HAProxy takes it', (name) => {
    const path = `test/golden/haproxy/${name}.cfg`
    const text = rendered(cases[name]!)
    if (process.env.WRITE_GOLDEN) writeFileSync(path, text)
    expect(text).toBe(readFileSync(path, 'utf8'))
    expect(verdict(cases[name]!)).toBeNull()
  })

  const policyOf = (rule: object) =>
    aBalancer({ listeners: [aListener(1, { policies: [aPolicy(1, { rules: [aRule(1, rule)] })] })] })

  it('says every rule and every way to compare', () => {
    for (const type of ruleTypes.filter((each) => !each.startsWith('SSL_'))) {
      for (const compareType of compareTypes) {
        expect(verdict(policyOf({ type, compareType, key: 'x-name', value: 'some value' }))).toBeNull()
      }
    }
  })

  it.each([
    ['a protocol', aBalancer({ listeners: [aListener(1, { protocol: 'UDP' })] })],
    ['an algorithm', aBalancer({ pools: [aPool(1, { algorithm: 'SOURCE_IP_PORT' })] })],
    ['a rule', policyOf({ type: 'SSL_DN_FIELD', key: 'CN' })],
    ['a monitor', aBalancer({ pools: [aPool(1, { monitor: aMonitor({ type: 'PING' }), members: [aMember(1)] })] })],
    ['a port that another listener has', aBalancer({ listeners: [aListener(1), aListener(2)] })],
    ['a pool that is not there', aBalancer({ pools: [] })],
    ['a range of addresses', aBalancer({ listeners: [aListener(1, { allowedCidrs: ['10.0.0.0/8 } #'] })] })],
  ])('refuses %s that it cannot carry', (_, balancer) => {
    expect(() => rendered(balancer)).toThrow(FaultError)
  })

  it('knows every type of monitor, if only to refuse it', () => {
    for (const type of monitorTypes) {
      const balancer = aBalancer({ pools: [aPool(1, { monitor: aMonitor({ type }), members: [aMember(1)] })] })
      if (['HTTP', 'HTTPS', 'TCP', 'TLS-HELLO'].includes(type)) expect(verdict(balancer)).toBeNull()
      else expect(() => rendered(balancer)).toThrow(/not supported/)
    }
  })
})

describe('texts of users', () => {
  const nasty = [
    'a b',
    `'`,
    `"`,
    `"'`,
    '\\',
    '\\n',
    '#',
    'x # comment',
    '$HOME',
    '"$' + '{HOME}"',
    '%[env(HOME)]',
    '%',
    '%%',
    '-f /etc/passwd',
    '--',
    'x\n    http-request deny',
    'x\r\nbackend other',
    '\t',
    '{ src 0.0.0.0/0 }',
    'a) -m found ) or TRUE',
    'a,b(c)',
    ';',
    'é☃',
    '!',
  ]
  const everywhere: Readonly<Record<string, (text: string) => LoadBalancerIntent>> = {
    name: (name) => aBalancer({ name }),
    'cookie of a pool': (cookieName) =>
      aBalancer({ pools: [aPool(1, { persistence: { type: 'APP_COOKIE', cookieName } })] }),
    'path of a monitor': (urlPath) => aBalancer({ pools: [aPool(1, { monitor: aMonitor({ urlPath }) })] }),
    'host of a monitor': (domainName) => aBalancer({ pools: [aPool(1, { monitor: aMonitor({ domainName }) })] }),
    'codes of a monitor': (expectedCodes) => aBalancer({ pools: [aPool(1, { monitor: aMonitor({ expectedCodes }) })] }),
    'range of addresses': (text) => aBalancer({ listeners: [aListener(1, { allowedCidrs: [text] })] }),
    URL: (redirectUrl) =>
      aBalancer({ listeners: [aListener(1, { policies: [aPolicy(1, { action: 'REDIRECT_TO_URL', redirectUrl })] })] }),
    prefix: (redirectPrefix) =>
      aBalancer({
        listeners: [aListener(1, { policies: [aPolicy(1, { action: 'REDIRECT_PREFIX', redirectPrefix })] })],
      }),
    ...Object.fromEntries(
      (['HOST_NAME', 'PATH', 'FILE_TYPE', 'HEADER', 'COOKIE'] as const).flatMap((type) => [
        [`value of ${type}`, (value: string) => withRule({ type, key: 'name', value, compareType: 'EQUAL_TO' })],
        [`key of ${type}`, (key: string) => withRule({ type, key, value: 'x', compareType: 'EQUAL_TO' })],
      ]),
    ),
  }
  const withRule = (rule: object) =>
    aBalancer({ listeners: [aListener(1, { policies: [aPolicy(1, { rules: [aRule(1, rule)] })] })] })
  const judged = new Set<string>()
  /** How many words each line has: what is injected would be another line, or another word. */
  const shape = (text: string) => text.split('\n').map((line) => line.trim().split(/\s+/).length)

  it.each(Object.keys(everywhere))('are a text and nothing else, or refused: %s', (field) => {
    const make = everywhere[field]!
    let taken = 0
    for (const text of nasty) {
      let config: string
      try {
        config = rendered(make(text))
      } catch (error) {
        expect(error).toBeInstanceOf(FaultError)
        continue
      }
      taken++
      const harmless = field.startsWith('codes') ? '200' : field.startsWith('range') ? '10.0.0.1' : 'harmless'
      expect(shape(config)).toEqual(shape(rendered(make(harmless))))
      expect(config).not.toMatch(/[#"'$;]|\\(?!x[0-9a-f]{2})/)
      if (!judged.has(config)) expect(verdict(make(text))).toBeNull()
      judged.add(config)
    }
    if (/^(value|URL|prefix|path|name)/.test(field)) expect(taken).toBe(nasty.length)
  })

  it('has no zero byte, with which a word of HAProxy ends', () => {
    expect(() => rendered(withRule({ value: 'a\0b' }))).toThrow(FaultError)
  })
})
