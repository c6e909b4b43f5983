import type {
  Algorithm,
  ListenerProtocol,
  MonitorType,
  PersistenceType,
  PolicyAction,
  PoolProtocol,
  RuleType,
} from './terms.js'

/** What makes balancers: each has a driver on the agent. */
export const providers = ['haproxy', 'nginx', 'simulated'] as const
export type Provider = (typeof providers)[number]

/** Something that one balancer may ask and not every provider can. */
export const features = [
  'udp',
  'sctp',
  'prometheus',
  'terminated-tls',
  'proxy-protocol',
  'source-ip-port',
  'cookie-persistence',
  'source-ip-persistence',
  'weight-zero',
  'backup-members',
  'connection-limit',
  'l7-redirect',
  'l7-reject',
  'l7-header-rules',
  'l7-cookie-rules',
  'l7-file-type-rules',
  'l7-client-certificate-rules',
  'ping-monitor',
  'tls-hello-monitor',
] as const
export type Feature = (typeof features)[number]

/** What each lacks: refused when it is asked for, before anything is stored (L1). */
export const lacksOf: Readonly<Record<Provider, readonly Feature[]>> = {
  haproxy: ['udp', 'sctp', 'l7-client-certificate-rules', 'ping-monitor', 'source-ip-port'],
  nginx: ['sctp', 'prometheus', 'proxy-protocol', 'cookie-persistence', 'l7-client-certificate-rules', 'ping-monitor'],
  simulated: [],
}

/** The capability of a host on which a provider's driver has all that it needs. */
export const balancingCapability = (provider: Provider): string => `balancing:${provider}`

/** Of a host whose kernel takes the VIPs of networks down when nothing has renewed them for too long, whatever became of its agent. */
export const VIP_LEASES = 'balancing-vip-leases'

/** What of a balancer decides what it asks; an intent is one too. */
export interface AskingBalancer {
  readonly listeners: readonly {
    readonly id: string
    readonly protocol: ListenerProtocol
    readonly connectionLimit: number
    readonly policies: readonly {
      readonly id: string
      readonly action: PolicyAction
      readonly rules: readonly { readonly id: string; readonly type: RuleType }[]
    }[]
  }[]
  readonly pools: readonly {
    readonly id: string
    readonly protocol: PoolProtocol
    readonly algorithm: Algorithm
    readonly persistence: { readonly type: PersistenceType } | null
    readonly monitor: { readonly type: MonitorType } | null
    readonly members: readonly { readonly id: string; readonly weight: number; readonly backup: boolean }[]
  }[]
}

/** What a balancer asks of its provider, each with the id of the object that asks it. */
export function featuresOf(balancer: AskingBalancer): Map<Feature, string> {
  const asked = new Map<Feature, string>()
  const ask = (feature: Feature, id: string, isAsked: boolean) => {
    if (isAsked && !asked.has(feature)) asked.set(feature, id)
  }
  for (const { id, protocol, connectionLimit, policies } of balancer.listeners) {
    ask('udp', id, protocol === 'UDP')
    ask('sctp', id, protocol === 'SCTP')
    ask('prometheus', id, protocol === 'PROMETHEUS')
    ask('terminated-tls', id, protocol === 'TERMINATED_HTTPS')
    ask('connection-limit', id, connectionLimit >= 0)
    for (const policy of policies) {
      ask('l7-redirect', policy.id, policy.action === 'REDIRECT_TO_URL' || policy.action === 'REDIRECT_PREFIX')
      ask('l7-reject', policy.id, policy.action === 'REJECT')
      for (const { id: rule, type } of policy.rules) {
        ask('l7-header-rules', rule, type === 'HEADER')
        ask('l7-cookie-rules', rule, type === 'COOKIE')
        ask('l7-file-type-rules', rule, type === 'FILE_TYPE')
        ask('l7-client-certificate-rules', rule, type.startsWith('SSL_'))
      }
    }
  }
  for (const { id, protocol, algorithm, persistence, monitor, members } of balancer.pools) {
    ask('proxy-protocol', id, protocol === 'PROXY' || protocol === 'PROXYV2')
    ask('source-ip-port', id, algorithm === 'SOURCE_IP_PORT')
    ask('source-ip-persistence', id, persistence?.type === 'SOURCE_IP')
    ask('cookie-persistence', id, persistence?.type === 'HTTP_COOKIE' || persistence?.type === 'APP_COOKIE')
    ask('ping-monitor', id, monitor?.type === 'PING')
    ask('tls-hello-monitor', id, monitor?.type === 'TLS-HELLO')
    for (const member of members) {
      ask('weight-zero', member.id, member.weight === 0)
      ask('backup-members', member.id, member.backup)
    }
  }
  return asked
}
