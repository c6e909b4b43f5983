import type { InputAttribute, InputTable } from './input.js'

type Kind = InputAttribute['kind']

const as = (kind: Kind, to: string): InputAttribute => ({ kind, to })
const once = (kind: Kind, to: string): InputAttribute => ({ kind, to, once: true })
/** It has no default. */
const needed = (kind: Kind, to: string): InputAttribute => ({ kind, to, needed: true })
const neededOnce = (kind: Kind, to: string): InputAttribute => ({ kind, to, needed: true, once: true })
const unsupported = (kind: Kind, vet?: InputAttribute['vet']): InputAttribute => ({
  ...{ kind, to: null, unsupported: true },
  ...(vet ? { vet } : {}),
})

const oneOf =
  (known: readonly string[]): InputAttribute['vet'] =>
  (value) =>
    Array.isArray(value) && value.every((one) => known.includes(one)) ? null : `Each is one of ${known.join(', ')}`

const needs =
  (other: string): NonNullable<InputAttribute['vet']> =>
  (_, others) =>
    others[other] === undefined || others[other] === null ? `It needs ${other}` : null

/** What a change does not say may be the protocol that it takes. */
const ofTls: InputAttribute['vet'] = (_, { protocol = 'TERMINATED_HTTPS' }) =>
  protocol === 'TERMINATED_HTTPS' ? null : 'Only listeners of protocol TERMINATED_HTTPS have it'

/** A change does not say the protocol, and pools of datagrams that are there have none of it either. */
const keepsSessions: InputAttribute['vet'] = (value, { protocol }) => {
  const { persistence_timeout: timeout, persistence_granularity: granularity } = Object(value)
  const isOfDatagrams = protocol === 'UDP' || protocol === 'SCTP'
  return (timeout || granularity) && !isOfDatagrams
    ? 'Only pools of protocol UDP have a timeout and a granularity'
    : null
}

const isPlace = (value: unknown): boolean =>
  typeof value === 'object' &&
  value !== null &&
  Object.keys(value).every((name) => name === 'subnet_id' || name === 'ip_address') &&
  'subnet_id' in value

const common: InputTable = {
  name: as('text', 'name'),
  description: as('text', 'description'),
  admin_state_up: as('boolean', 'adminStateUp'),
  tags: as('texts', 'tags'),
  // its balancer's, whatever is said
  project_id: { kind: 'text', to: null, once: true },
  tenant_id: { kind: 'text', to: null, once: true },
}

/** Of what has no description of its own. */
const { description: _description, ...undescribed } = common
const { name: _name, ...unnamed } = undescribed

const tls: InputTable = {
  tls_ciphers: unsupported('text'),
  tls_versions: unsupported('texts', oneOf(['SSLv3', 'TLSv1', 'TLSv1.1', 'TLSv1.2', 'TLSv1.3'])),
  alpn_protocols: unsupported('texts', oneOf(['h2', 'http/1.1', 'http/1.0'])),
}

export const l7RuleInput: InputTable = {
  ...unnamed,
  type: needed('text', 'type'),
  compare_type: needed('text', 'compareType'),
  key: as('text', 'key'),
  value: needed('text', 'value'),
  invert: as('boolean', 'invert'),
}

export const healthMonitorInput: InputTable = {
  ...undescribed,
  pool_id: once('id', 'poolId'),
  type: neededOnce('text', 'type'),
  delay: needed('integer', 'delay'),
  timeout: needed('integer', 'timeout'),
  max_retries: needed('integer', 'maxRetries'),
  max_retries_down: as('integer', 'maxRetriesDown'),
  http_method: as('text', 'httpMethod'),
  url_path: as('text', 'urlPath'),
  expected_codes: as('text', 'expectedCodes'),
  http_version: as('version', 'httpVersion'),
  domain_name: as('text', 'domainName'),
}

export const memberInput: InputTable = {
  ...undescribed,
  address: neededOnce('text', 'address'),
  // older clients say it so
  ip_address: once('text', 'address'),
  protocol_port: neededOnce('integer', 'protocolPort'),
  subnet_id: once('id', 'networkId'),
  weight: as('integer', 'weight'),
  backup: as('boolean', 'backup'),
  monitor_address: as('text', 'monitorAddress'),
  monitor_port: as('integer', 'monitorPort'),
}

const persistence: InputTable = {
  type: as('text', 'type'),
  cookie_name: as('text', 'cookieName'),
  persistence_timeout: unsupported('integer'),
  persistence_granularity: unsupported('text'),
}

export const poolInput: InputTable = {
  ...common,
  loadbalancer_id: once('id', 'loadBalancerId'),
  listener_id: once('id', 'listenerId'),
  protocol: neededOnce('text', 'protocol'),
  lb_algorithm: needed('text', 'lbAlgorithm'),
  session_persistence: { ...as({ one: persistence }, 'sessionPersistence'), vet: keepsSessions },
  members: once({ many: memberInput }, 'members'),
  healthmonitor: once({ one: healthMonitorInput }, 'healthMonitor'),
  health_monitor: once({ one: healthMonitorInput }, 'healthMonitor'),
  tls_enabled: unsupported('boolean'),
  tls_container_ref: unsupported('text'),
  ca_tls_container_ref: unsupported('text'),
  crl_container_ref: unsupported('text', needs('ca_tls_container_ref')),
  ...tls,
}

/** A name alone is one that is made elsewhere in the same body. */
const poolOrName: InputTable = {
  ...poolInput,
  protocol: once('text', 'protocol'),
  lb_algorithm: as('text', 'lbAlgorithm'),
}

export const l7PolicyInput: InputTable = {
  ...common,
  listener_id: once('id', 'listenerId'),
  action: needed('text', 'action'),
  position: as('integer', 'position'),
  redirect_pool_id: as('id', 'redirectPoolId'),
  redirect_pool: once({ one: poolOrName }, 'redirectPool'),
  redirect_url: as('text', 'redirectUrl'),
  redirect_prefix: as('text', 'redirectPrefix'),
  redirect_http_code: as('integer', 'redirectHttpCode'),
  rules: once({ many: l7RuleInput }, 'rules'),
}

export const listenerInput: InputTable = {
  ...common,
  loadbalancer_id: once('id', 'loadBalancerId'),
  protocol: neededOnce('text', 'protocol'),
  protocol_port: neededOnce('integer', 'protocolPort'),
  connection_limit: as('integer', 'connectionLimit'),
  default_pool_id: as('id', 'defaultPoolId'),
  default_pool: once({ one: poolOrName }, 'defaultPool'),
  l7policies: once({ many: l7PolicyInput }, 'l7Policies'),
  insert_headers: as('flags', 'insertHeaders'),
  timeout_client_data: as('integer', 'timeoutClientData'),
  timeout_member_connect: as('integer', 'timeoutMemberConnect'),
  timeout_member_data: as('integer', 'timeoutMemberData'),
  timeout_tcp_inspect: as('integer', 'timeoutTcpInspect'),
  allowed_cidrs: as('texts', 'allowedCidrs'),
  default_tls_container_ref: as('reference', 'defaultCertificateId'),
  sni_container_refs: as('references', 'sniCertificateIds'),
  client_authentication: unsupported('text', (value, others) =>
    value === 'OPTIONAL' || value === 'MANDATORY'
      ? needs('client_ca_tls_container_ref')(value, others)
      : 'It is NONE, OPTIONAL or MANDATORY',
  ),
  client_ca_tls_container_ref: unsupported('text'),
  client_crl_container_ref: unsupported('text', needs('client_ca_tls_container_ref')),
  hsts_max_age: unsupported('integer', ofTls),
  hsts_include_subdomains: unsupported('boolean', needs('hsts_max_age')),
  hsts_preload: unsupported('boolean', needs('hsts_max_age')),
  ...tls,
}

export const loadBalancerInput: InputTable = {
  ...common,
  project_id: once('id', 'projectId'),
  tenant_id: once('id', 'projectId'),
  vip_address: once('text', 'vipAddress'),
  vip_subnet_id: once('id', 'vipSubnetId'),
  vip_network_id: once('id', 'vipNetworkId'),
  vip_port_id: once('id', 'vipPortId'),
  vip_qos_policy_id: unsupported('text'),
  additional_vips: {
    ...unsupported('texts', (value) =>
      Array.isArray(value) && value.every(isPlace) ? null : 'Each is {"subnet_id": …, "ip_address": …}',
    ),
    once: true,
  },
  provider: once('text', 'provider'),
  flavor_id: once('id', 'flavorId'),
  availability_zone: once('text', 'availabilityZone'),
  listeners: once({ many: listenerInput }, 'listeners'),
  pools: once({ many: poolInput }, 'pools'),
}

const offered: InputTable = {
  name: needed('text', 'name'),
  description: as('text', 'description'),
  enabled: as('boolean', 'enabled'),
}

export const flavorInput: InputTable = { ...offered, flavor_profile_id: neededOnce('id', 'profileId') }

export const availabilityZoneInput: InputTable = {
  ...offered,
  // it is what it is known by
  name: neededOnce('text', 'name'),
  availability_zone_profile_id: neededOnce('id', 'profileId'),
}

const profile: InputTable = { name: needed('text', 'name'), provider_name: needed('text', 'provider') }

export const flavorProfileInput: InputTable = { ...profile, flavor_data: needed('text', 'content') }

export const availabilityZoneProfileInput: InputTable = {
  ...profile,
  availability_zone_data: needed('text', 'content'),
}
