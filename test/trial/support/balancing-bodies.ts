import { DEFAULT_PROJECT } from '../../../src/engine/identity/project.entity.js'
import type { Fields } from './body-abuses.js'

const nobody = '00000000-0000-4000-8000-00000000beef'
const described = { name: 'never-made', description: 'never', adminStateUp: true, tags: ['never'] }
const certificate = {
  name: 'never-made',
  chainPem: '-----BEGIN CERTIFICATE-----',
  privateKeyPem: '-----BEGIN PRIVATE KEY-----',
}
const monitor = {
  ...described,
  delay: 1,
  timeout: 1,
  maxRetries: 1,
  maxRetriesDown: 1,
  httpMethod: 'GET',
  urlPath: '/',
  expectedCodes: '200',
  httpVersion: '1.1',
  domainName: 'never.example.org',
}
const listener = {
  ...described,
  connectionLimit: 1,
  defaultPoolId: nobody,
  allowedCidrs: ['192.0.2.0/24'],
  insertHeaders: { 'X-Forwarded-For': true },
  timeoutClientData: 1,
  timeoutMemberConnect: 1,
  timeoutMemberData: 1,
  timeoutTcpInspect: 1,
  sniCertificateIds: [nobody],
}
const member = { ...described, weight: 1, backup: false, monitorAddress: '192.0.2.1', monitorPort: 80 }
const newMember = { ...member, address: '192.0.2.1', protocolPort: 80 }
const pool = { ...described, lbAlgorithm: 'ROUND_ROBIN', sessionPersistence: { type: 'SOURCE_IP' } }
const policy = { ...described, action: 'REDIRECT_TO_URL', position: 1, redirectUrl: 'https://never.example.org' }
const rule = { adminStateUp: true, tags: ['never'], type: 'PATH', compareType: 'EQUAL_TO', value: '/', invert: false }
const ranges = [{ from: '192.0.2.10', to: '192.0.2.20' }]

/** What bodies of load balancers, and of what they stand on, should be. */
export const balancingBodies: Readonly<Record<string, Fields>> = {
  'networks.create': {
    name: 'never-made',
    description: 'never',
    cidr: '192.0.2.0/24',
    gateway: '192.0.2.1',
    ranges,
    bridge: 'never0',
    createBridge: true,
    hostIsGateway: false,
  },
  'networks.update': { name: 'never', description: 'never', ranges },
  'certificates.create': { ...certificate, projectId: DEFAULT_PROJECT },
  'certificates.put': certificate,
  'loadBalancers.create': {
    ...described,
    projectId: DEFAULT_PROJECT,
    vipNetworkId: nobody,
    vipAddress: '192.0.2.9',
    provider: 'haproxy',
    listeners: [],
    pools: [],
  },
  'loadBalancers.update': described,
  'loadBalancers.plan': { ...described, edits: [] },
  'loadBalancers.rollback': { generation: 1 },
  'listeners.create': { ...listener, loadBalancerId: nobody, protocol: 'HTTP', protocolPort: 80 },
  'listeners.update': listener,
  'pools.create': { ...pool, loadBalancerId: nobody, protocol: 'HTTP' },
  'pools.update': pool,
  'members.create': newMember,
  'members.put': { members: [newMember], additive: false },
  'members.update': member,
  'healthMonitors.create': { ...monitor, poolId: nobody, type: 'HTTP' },
  'healthMonitors.update': monitor,
  'l7Policies.create': { ...policy, listenerId: nobody },
  'l7Policies.update': policy,
  'l7Rules.create': rule,
  'l7Rules.update': rule,
}
