import type { BalancingApply, DeviceIntent } from '../../wire/balancing/commands.js'
import type {
  HealthMonitorIntent,
  L7PolicyIntent,
  ListenerIntent,
  LoadBalancerIntent,
  MemberIntent,
  PoolIntent,
} from '../../wire/balancing/intent.js'
import type { NetworkIntent } from '../../wire/networks.js'
import type { BalancingDevice } from './balancing-device.entity.js'
import type { Certificate } from './certificate.entity.js'
import type { HealthMonitor } from './health-monitor.entity.js'
import type { L7Policy } from './l7-policy.entity.js'
import type { L7Rule } from './l7-rule.entity.js'
import type { Listener } from './listener.entity.js'
import type { Member } from './member.entity.js'
import type { Pool } from './pool.entity.js'
import type { Tree } from './tree.js'

/** What an intent holds beside the rows of its balancer. */
export interface Surroundings {
  readonly network: NetworkIntent
  /** All that its listeners name. */
  readonly certificates: readonly Pick<Certificate, 'id' | 'chainPem'>[]
}

/**
 * A balancer as its device is told it. The order of the rows is nothing: the same balancer is the same intent, and has the same
 * digest.
 */
export function renderIntent(tree: Tree, { network, certificates }: Surroundings): LoadBalancerIntent {
  const { id, name, adminStateUp, vipAddress } = tree.loadBalancer
  const named = new Set(tree.listeners.flatMap(certificatesOf))
  return {
    id,
    name,
    adminStateUp,
    vip: { address: vipAddress, network },
    listeners: byId(tree.listeners).map((listener) => listenerIntent(tree, listener)),
    pools: byId(tree.pools).map((pool) => poolIntent(tree, pool)),
    certificates: byId(certificates.filter((one) => named.has(one.id))).map(({ id, chainPem }) => ({ id, chainPem })),
  }
}

/** The default one first. */
export const certificatesOf = ({
  defaultCertificateId,
  sniCertificateIds,
}: Pick<Listener, 'defaultCertificateId' | 'sniCertificateIds'>): string[] => [
  ...new Set([...(defaultCertificateId ? [defaultCertificateId] : []), ...sniCertificateIds]),
]

export const deviceIntent = ({
  kind,
  name,
  epoch,
}: Pick<BalancingDevice, 'kind' | 'name' | 'epoch'>): DeviceIntent => ({
  name: kind === 'host' ? 'host' : name,
  epoch,
})

export const applyOf = (
  tree: Tree,
  device: Pick<BalancingDevice, 'kind' | 'name' | 'epoch'>,
  surroundings: Surroundings,
): BalancingApply => ({
  provider: tree.loadBalancer.provider,
  device: deviceIntent(device),
  balancer: renderIntent(tree, surroundings),
})

function listenerIntent(tree: Tree, l: Listener): ListenerIntent {
  const policies = tree.l7Policies.filter((policy) => policy.listenerId === l.id && policy.adminStateUp)
  return {
    id: l.id,
    adminStateUp: l.adminStateUp,
    protocol: l.protocol,
    port: l.protocolPort,
    connectionLimit: l.connectionLimit,
    defaultPoolId: l.defaultPoolId,
    allowedCidrs: [...l.allowedCidrs],
    insertHeaders: l.insertHeaders,
    timeouts: {
      clientDataMs: l.timeoutClientData,
      memberConnectMs: l.timeoutMemberConnect,
      memberDataMs: l.timeoutMemberData,
      tcpInspectMs: l.timeoutTcpInspect,
    },
    certificateIds: certificatesOf(l),
    policies: [...policies].sort((a, b) => a.position - b.position).map((policy) => policyIntent(tree, policy)),
  }
}

function policyIntent(tree: Tree, p: L7Policy): L7PolicyIntent {
  const rules = tree.l7Rules.filter((rule) => rule.l7PolicyId === p.id && rule.adminStateUp)
  return {
    id: p.id,
    action: p.action,
    redirectPoolId: p.redirectPoolId,
    redirectUrl: p.redirectUrl,
    redirectPrefix: p.redirectPrefix,
    redirectHttpCode: p.redirectHttpCode,
    rules: byId(rules).map(ruleIntent),
  }
}

const ruleIntent = ({ id, type, compareType, key, value, invert }: L7Rule) => ({
  id,
  type,
  compareType,
  key,
  value,
  invert,
})

function poolIntent(tree: Tree, p: Pool): PoolIntent {
  const monitor = tree.healthMonitors.find(({ poolId }) => poolId === p.id)
  return {
    id: p.id,
    adminStateUp: p.adminStateUp,
    protocol: p.protocol,
    algorithm: p.lbAlgorithm,
    persistence: p.sessionPersistence && {
      type: p.sessionPersistence.type,
      cookieName: p.sessionPersistence.cookieName ?? null,
    },
    monitor: monitor ? monitorIntent(monitor) : null,
    members: byId(tree.members.filter(({ poolId }) => poolId === p.id)).map(memberIntent),
  }
}

const memberIntent = (m: Member): MemberIntent => ({
  id: m.id,
  adminStateUp: m.adminStateUp,
  address: m.address,
  port: m.protocolPort,
  weight: m.weight,
  backup: m.backup,
  monitorAddress: m.monitorAddress,
  monitorPort: m.monitorPort,
  draining: false,
})

const monitorIntent = (m: HealthMonitor): HealthMonitorIntent => ({
  id: m.id,
  adminStateUp: m.adminStateUp,
  type: m.type,
  delay: m.delay,
  timeout: m.timeout,
  maxRetries: m.maxRetries,
  maxRetriesDown: m.maxRetriesDown,
  httpMethod: m.httpMethod,
  urlPath: m.urlPath,
  expectedCodes: m.expectedCodes,
  httpVersion: m.httpVersion,
  domainName: m.domainName,
})

const byId = <R extends { readonly id: string }>(rows: readonly R[]): R[] =>
  [...rows].sort((a, b) => (a.id < b.id ? -1 : 1))
