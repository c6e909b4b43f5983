import type {
  HealthMonitorIntent,
  L7PolicyIntent,
  L7RuleIntent,
  ListenerIntent,
  LoadBalancerIntent,
  MemberIntent,
  PoolIntent,
} from '../../../src/wire/balancing/intent.js'

/** Ids that are read easily: `id('a', 1)` ends in a1. */
export const id = (letter: string, number = 0): string =>
  `00000000-0000-4000-8000-${`${letter}${number}`.padStart(12, '0')}`

export const aMember = (number: number, port: number, more: Partial<MemberIntent> = {}): MemberIntent => ({
  id: id('e', number),
  adminStateUp: true,
  address: '127.0.0.1',
  port,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
  draining: false,
  ...more,
})

export const aMonitor = (more: Partial<HealthMonitorIntent> = {}): HealthMonitorIntent => ({
  id: id('f', 1),
  adminStateUp: true,
  type: 'HTTP',
  delay: 1,
  timeout: 1,
  maxRetries: 1,
  maxRetriesDown: 1,
  httpMethod: null,
  urlPath: null,
  expectedCodes: null,
  httpVersion: null,
  domainName: null,
  ...more,
})

export const aPool = (
  number: number,
  members: readonly MemberIntent[],
  more: Partial<PoolIntent> = {},
): PoolIntent => ({
  id: id('c', number),
  adminStateUp: true,
  protocol: 'HTTP',
  algorithm: 'ROUND_ROBIN',
  persistence: null,
  monitor: null,
  members: [...members],
  ...more,
})

export const aRule = (number: number, more: Partial<L7RuleIntent>): L7RuleIntent => ({
  id: id('d', number),
  type: 'PATH',
  compareType: 'STARTS_WITH',
  key: null,
  value: '/',
  invert: false,
  ...more,
})

export const aPolicy = (
  number: number,
  rules: readonly L7RuleIntent[],
  more: Partial<L7PolicyIntent> = {},
): L7PolicyIntent => ({
  id: id('b', number),
  action: 'REJECT',
  redirectPoolId: null,
  redirectUrl: null,
  redirectPrefix: null,
  redirectHttpCode: null,
  rules: [...rules],
  ...more,
})

export const aListener = (number: number, port: number, more: Partial<ListenerIntent> = {}): ListenerIntent => ({
  id: id('a', number),
  adminStateUp: true,
  protocol: 'HTTP',
  port,
  connectionLimit: -1,
  defaultPoolId: id('c', 1),
  allowedCidrs: [],
  insertHeaders: {},
  timeouts: { clientDataMs: 50_000, memberConnectMs: 5000, memberDataMs: 50_000, tcpInspectMs: 0 },
  certificateIds: [],
  policies: [],
  ...more,
})

export const aBalancer = (
  listeners: readonly ListenerIntent[],
  pools: readonly PoolIntent[],
  more: Partial<LoadBalancerIntent> = {},
): LoadBalancerIntent => ({
  id: id('9', 1),
  name: 'web',
  adminStateUp: true,
  vip: {
    address: '127.0.48.1',
    network: {
      id: 'n1',
      cidr: '127.0.0.0/8',
      gateway: null,
      bridge: null,
      createBridge: false,
      uplink: null,
      vlan: null,
      hostIsGateway: false,
    },
  },
  listeners: [...listeners],
  pools: [...pools],
  certificates: [],
  ...more,
})
