import { randomUUID } from 'node:crypto'
import type { L7Policy } from '../../../src/engine/balancing/l7-policy.entity.js'
import type { L7Rule } from '../../../src/engine/balancing/l7-rule.entity.js'
import type { Listener } from '../../../src/engine/balancing/listener.entity.js'
import type { LoadBalancer } from '../../../src/engine/balancing/load-balancer.entity.js'
import type { Member } from '../../../src/engine/balancing/member.entity.js'
import type { Pool } from '../../../src/engine/balancing/pool.entity.js'
import type { Tree } from '../../../src/engine/balancing/tree.js'

const at = new Date(0)
const part = () => ({
  id: randomUUID(),
  projectId: randomUUID(),
  name: '',
  description: '',
  adminStateUp: true,
  tags: [],
  provisioningStatus: 'ACTIVE' as const,
  operatingStatus: 'ONLINE' as const,
  createdAt: at,
  updatedAt: at,
  generation: 1,
  loadBalancerId: 'b',
})

export const balancerOf = (given: Partial<LoadBalancer> = {}): LoadBalancer => ({
  ...part(),
  networkId: randomUUID(),
  vipAddress: '127.0.0.9',
  vipPortId: randomUUID(),
  provider: 'simulated',
  flavorId: null,
  availabilityZone: null,
  deviceId: randomUUID(),
  hostId: randomUUID(),
  placementGeneration: 1,
  movingFromDeviceId: null,
  goodGeneration: 1,
  intentDigest: '',
  commandId: null,
  fault: null,
  faultAt: null,
  observedFault: null,
  observedAt: null,
  observedGeneration: 1,
  statistics: {},
  ...given,
})

export const listenerOf = (given: Partial<Listener> = {}): Listener => ({
  ...part(),
  protocol: 'HTTP',
  protocolPort: 80,
  connectionLimit: -1,
  defaultPoolId: null,
  allowedCidrs: [],
  insertHeaders: {},
  timeoutClientData: 50_000,
  timeoutMemberConnect: 5_000,
  timeoutMemberData: 50_000,
  timeoutTcpInspect: 0,
  defaultCertificateId: null,
  sniCertificateIds: [],
  ...given,
})

export const poolOf = (given: Partial<Pool> = {}): Pool => ({
  ...part(),
  protocol: 'HTTP',
  lbAlgorithm: 'ROUND_ROBIN',
  sessionPersistence: null,
  ...given,
})

export const memberOf = (poolId: string, given: Partial<Member> = {}): Member => ({
  ...part(),
  poolId,
  networkId: null,
  address: '127.0.0.1',
  protocolPort: 80,
  weight: 1,
  backup: false,
  monitorAddress: null,
  monitorPort: null,
  ...given,
})

export const policyOf = (listenerId: string, given: Partial<L7Policy> = {}): L7Policy => ({
  ...part(),
  listenerId,
  action: 'REJECT',
  position: 1,
  redirectPoolId: null,
  redirectUrl: null,
  redirectPrefix: null,
  redirectHttpCode: null,
  ...given,
})

export const ruleOf = (l7PolicyId: string, given: Partial<L7Rule> = {}): L7Rule => ({
  ...part(),
  l7PolicyId,
  type: 'PATH',
  compareType: 'STARTS_WITH',
  key: null,
  value: '/',
  invert: false,
  ...given,
})

export const treeOf = (given: Partial<Tree> = {}): Tree => ({
  loadBalancer: balancerOf(),
  listeners: [],
  pools: [],
  members: [],
  healthMonitors: [],
  l7Policies: [],
  l7Rules: [],
  ...given,
})
