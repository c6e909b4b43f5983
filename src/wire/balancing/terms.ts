/** The words of the field (Octavia's API v2), as they stand in the database, on the wire and in both faces. */
export const listenerProtocols = ['HTTP', 'TERMINATED_HTTPS', 'HTTPS', 'TCP', 'UDP', 'SCTP', 'PROMETHEUS'] as const
export type ListenerProtocol = (typeof listenerProtocols)[number]

export const poolProtocols = ['HTTP', 'HTTPS', 'TCP', 'UDP', 'SCTP', 'PROXY', 'PROXYV2'] as const
export type PoolProtocol = (typeof poolProtocols)[number]

/** Which pools a listener may lead to. */
export const poolProtocolsOf: Readonly<Record<ListenerProtocol, readonly PoolProtocol[]>> = {
  HTTP: ['HTTP', 'PROXY', 'PROXYV2'],
  TERMINATED_HTTPS: ['HTTP', 'PROXY', 'PROXYV2'],
  HTTPS: ['HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
  TCP: ['HTTP', 'HTTPS', 'PROXY', 'PROXYV2', 'TCP'],
  UDP: ['UDP'],
  SCTP: ['SCTP'],
  PROMETHEUS: [],
}

export const algorithms = ['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT'] as const
export type Algorithm = (typeof algorithms)[number]

export const persistenceTypes = ['SOURCE_IP', 'HTTP_COOKIE', 'APP_COOKIE'] as const
export type PersistenceType = (typeof persistenceTypes)[number]

export const monitorTypes = ['HTTP', 'HTTPS', 'PING', 'TCP', 'TLS-HELLO', 'UDP-CONNECT', 'SCTP'] as const
export type MonitorType = (typeof monitorTypes)[number]

export const httpMethods = ['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT', 'PATCH'] as const
export type HttpMethod = (typeof httpMethods)[number]

export const policyActions = ['REDIRECT_TO_POOL', 'REDIRECT_TO_URL', 'REDIRECT_PREFIX', 'REJECT'] as const
export type PolicyAction = (typeof policyActions)[number]

export const ruleTypes = [
  'HOST_NAME',
  'PATH',
  'FILE_TYPE',
  'HEADER',
  'COOKIE',
  'SSL_CONN_HAS_CERT',
  'SSL_VERIFY_RESULT',
  'SSL_DN_FIELD',
] as const
export type RuleType = (typeof ruleTypes)[number]

export const compareTypes = ['REGEX', 'STARTS_WITH', 'ENDS_WITH', 'CONTAINS', 'EQUAL_TO'] as const
export type CompareType = (typeof compareTypes)[number]

export const insertableHeaders = ['X-Forwarded-For', 'X-Forwarded-Port', 'X-Forwarded-Proto'] as const
export type InsertableHeader = (typeof insertableHeaders)[number]

export const balancingStatuses = [
  'ONLINE',
  'OFFLINE',
  'DRAINING',
  'DEGRADED',
  'ERROR',
  'NO_MONITOR',
  'UNKNOWN',
] as const
export type BalancingStatus = (typeof balancingStatuses)[number]
