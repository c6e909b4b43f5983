import type {
  HealthMonitorIntent,
  L7PolicyIntent,
  L7RuleIntent,
  ListenerIntent,
  LoadBalancerIntent,
  MemberIntent,
  PoolIntent,
} from '../../../src/wire/balancing/intent.js'

/** Readable ids: the second letter says what it is of. */
export const idOf = (kind: string, number: number): string =>
  `${kind.repeat(8)}-0000-4000-8000-${String(number).padStart(12, '0')}`

export const aMember = (number: number, more: Partial<MemberIntent> = {}): MemberIntent => ({
  id: idOf('e', number),
  adminStateUp: true,
  address: `127.0.${number % 250}.2`,
  port: 8000 + number,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
  draining: false,
  ...more,
})

export const aMonitor = (more: Partial<HealthMonitorIntent> = {}): HealthMonitorIntent => ({
  id: idOf('f', 1),
  adminStateUp: true,
  type: 'HTTP',
  delay: 1,
  timeout: 1,
  maxRetries: 1,
  maxRetriesDown: 2,
  httpMethod: 'GET',
  urlPath: '/',
  expectedCodes: '200',
  httpVersion: null,
  domainName: null,
  ...more,
})

export const aPool = (number: number, more: Partial<PoolIntent> = {}): PoolIntent => ({
  id: idOf('d', number),
  adminStateUp: true,
  protocol: 'HTTP',
  algorithm: 'ROUND_ROBIN',
  persistence: null,
  monitor: null,
  members: [],
  ...more,
})

export const aRule = (number: number, more: Partial<L7RuleIntent> = {}): L7RuleIntent => ({
  id: idOf('b', number),
  type: 'PATH',
  compareType: 'STARTS_WITH',
  key: null,
  value: '/x',
  invert: false,
  ...more,
})

export const aPolicy = (number: number, more: Partial<L7PolicyIntent> = {}): L7PolicyIntent => ({
  id: idOf('9', number),
  action: 'REJECT',
  redirectPoolId: null,
  redirectUrl: null,
  redirectPrefix: null,
  redirectHttpCode: null,
  rules: [aRule(number)],
  ...more,
})

export const aListener = (number: number, more: Partial<ListenerIntent> = {}): ListenerIntent => ({
  id: idOf('c', number),
  adminStateUp: true,
  protocol: 'HTTP',
  port: 8080,
  connectionLimit: -1,
  defaultPoolId: idOf('d', 1),
  allowedCidrs: [],
  insertHeaders: {},
  timeouts: { clientDataMs: 50_000, memberConnectMs: 5_000, memberDataMs: 50_000, tcpInspectMs: 0 },
  certificateIds: [],
  policies: [],
  ...more,
})

export const aBalancer = (more: Partial<LoadBalancerIntent> = {}): LoadBalancerIntent => ({
  id: idOf('a', 1),
  name: 'shop',
  adminStateUp: true,
  vip: { address: '127.0.91.1', network: hostNetwork },
  listeners: [aListener(1)],
  pools: [aPool(1)],
  certificates: [],
  ...more,
})

/** Addresses of the host's own. */
export const hostNetwork = {
  id: 'loopback',
  cidr: '127.0.0.0/8',
  gateway: null,
  bridge: null,
  createBridge: false,
  uplink: null,
  vlan: null,
  hostIsGateway: false,
}
