import {
  boolean,
  common,
  hidden,
  id,
  ids,
  integer,
  json,
  never,
  ofBalancer,
  type Resource,
  text,
  without,
} from './resource.js'

const part = { ofProject: true, key: 'id' } as const
const sameBalancer = 'c.load_balancer_id = t.load_balancer_id'

const tls = {
  tls_ciphers: never(),
  tls_versions: never(`'[]'::json`),
  alpn_protocols: never(`'[]'::json`),
}

export const loadBalancers: Resource = {
  ...part,
  noun: 'Load Balancer',
  one: 'loadbalancer',
  many: 'loadbalancers',
  table: 'load_balancers',
  attributes: {
    ...common,
    provider: text('provider'),
    vip_address: text('vip_address'),
    vip_port_id: id('vip_port_id'),
    // a network here is what Octavia knows as a network and its one subnet
    vip_subnet_id: id('network_id'),
    vip_network_id: id('network_id'),
    vip_qos_policy_id: never(),
    additional_vips: never(`'[]'::json`),
    flavor_id: id('flavor_id'),
    availability_zone: text('availability_zone'),
    listeners: ids('listeners', 'c.load_balancer_id = t.id'),
    pools: ids('pools', 'c.load_balancer_id = t.id'),
  },
}

export const listeners: Resource = {
  ...part,
  noun: 'Listener',
  one: 'listener',
  many: 'listeners',
  table: 'listeners',
  attributes: {
    ...common,
    ...ofBalancer,
    protocol: text('protocol'),
    protocol_port: integer('protocol_port'),
    connection_limit: integer('connection_limit'),
    default_pool_id: id('default_pool_id'),
    default_tls_container_ref: id('default_certificate_id'),
    sni_container_refs: { kind: 'texts', sql: 't.sni_certificate_ids::text[]' },
    insert_headers: json(
      `coalesce((SELECT json_object_agg(h.key, CASE WHEN h.value = 'true' THEN 'true' ELSE 'false' END)
         FROM jsonb_each_text(t.insert_headers) h), '{}')`,
    ),
    timeout_client_data: integer('timeout_client_data'),
    timeout_member_connect: integer('timeout_member_connect'),
    timeout_member_data: integer('timeout_member_data'),
    timeout_tcp_inspect: integer('timeout_tcp_inspect'),
    allowed_cidrs: { kind: 'texts', sql: `NULLIF(t.allowed_cidrs, '{}')` },
    client_authentication: never(`'NONE'`),
    client_ca_tls_container_ref: never(),
    client_crl_container_ref: never(),
    hsts_max_age: never(),
    hsts_include_subdomains: never('false'),
    hsts_preload: never('false'),
    ...tls,
    loadbalancers: json(`json_build_array(json_build_object('id', t.load_balancer_id))`),
    l7policies: ids('l7_policies', `${sameBalancer} AND c.listener_id = t.id`),
  },
}

const leadingHere = ids(
  'listeners',
  `${sameBalancer} AND (c.default_pool_id = t.id OR EXISTS (SELECT FROM l7_policies p
     WHERE p.load_balancer_id = t.load_balancer_id AND p.listener_id = c.id AND p.redirect_pool_id = t.id))`,
)

export const pools: Resource = {
  ...part,
  noun: 'Pool',
  one: 'pool',
  many: 'pools',
  table: 'pools',
  attributes: {
    ...common,
    ...ofBalancer,
    protocol: text('protocol'),
    lb_algorithm: text('lb_algorithm'),
    session_persistence: json(
      `CASE WHEN t.session_persistence IS NULL OR t.session_persistence = 'null' THEN NULL ELSE json_build_object(
         'type', t.session_persistence ->> 'type', 'cookie_name', t.session_persistence ->> 'cookieName',
         'persistence_timeout', NULL, 'persistence_granularity', NULL) END`,
    ),
    tls_enabled: never('false'),
    tls_container_ref: never(),
    ca_tls_container_ref: never(),
    crl_container_ref: never(),
    ...tls,
    healthmonitor_id: { kind: 'id', sql: '(SELECT c.id FROM health_monitors c WHERE c.pool_id = t.id)' },
    loadbalancers: json(`json_build_array(json_build_object('id', t.load_balancer_id))`),
    listeners: leadingHere,
    listener_id: hidden(leadingHere),
    members: ids('members', 'c.pool_id = t.id'),
  },
}

export const members: Resource = {
  ...part,
  noun: 'Member',
  one: 'member',
  many: 'members',
  table: 'members',
  attributes: {
    ...without(common, 'description'),
    ...ofBalancer,
    pool_id: hidden(id('pool_id')),
    address: text('address'),
    protocol_port: integer('protocol_port'),
    weight: integer('weight'),
    backup: boolean('backup'),
    subnet_id: id('network_id'),
    monitor_address: text('monitor_address'),
    monitor_port: integer('monitor_port'),
  },
}

export const healthMonitors: Resource = {
  ...part,
  noun: 'Health Monitor',
  one: 'healthmonitor',
  many: 'healthmonitors',
  table: 'health_monitors',
  attributes: {
    ...without(common, 'description'),
    ...ofBalancer,
    pool_id: hidden(id('pool_id')),
    type: text('type'),
    delay: integer('delay'),
    timeout: integer('timeout'),
    max_retries: integer('max_retries'),
    max_retries_down: integer('max_retries_down'),
    http_method: text('http_method'),
    url_path: text('url_path'),
    expected_codes: text('expected_codes'),
    http_version: { kind: 'number', sql: 't.http_version::float8' },
    domain_name: text('domain_name'),
    pools: json(`json_build_array(json_build_object('id', t.pool_id))`),
  },
}

export const l7Policies: Resource = {
  ...part,
  noun: 'L7Policy',
  one: 'l7policy',
  many: 'l7policies',
  table: 'l7_policies',
  attributes: {
    ...common,
    ...ofBalancer,
    listener_id: id('listener_id'),
    action: text('action'),
    position: integer('position'),
    redirect_pool_id: id('redirect_pool_id'),
    redirect_url: text('redirect_url'),
    redirect_prefix: text('redirect_prefix'),
    redirect_http_code: integer('redirect_http_code'),
    rules: ids('l7_rules', 'c.l7_policy_id = t.id'),
  },
}

export const l7Rules: Resource = {
  ...part,
  noun: 'L7Rule',
  one: 'rule',
  many: 'rules',
  table: 'l7_rules',
  attributes: {
    ...without(common, 'description', 'name'),
    ...ofBalancer,
    l7policy_id: hidden(id('l7_policy_id')),
    type: text('type'),
    compare_type: text('compare_type'),
    key: text('key'),
    value: text('value'),
    invert: boolean('invert'),
  },
}

const plane = { ofProject: false } as const
const profileOf = (data: string) => ({
  id: id('id'),
  name: text('name'),
  provider_name: text('provider'),
  // clients give it as a text of JSON, and get it back as one
  [data]: { kind: 'text' as const, sql: 't.content::text' },
})

export const flavors: Resource = {
  ...plane,
  key: 'id',
  noun: 'Flavor',
  one: 'flavor',
  many: 'flavors',
  table: 'flavors',
  attributes: {
    id: id('id'),
    name: text('name'),
    description: text('description'),
    enabled: boolean('enabled'),
    flavor_profile_id: id('profile_id'),
  },
}

export const flavorProfiles: Resource = {
  ...plane,
  key: 'id',
  noun: 'Flavor profile',
  one: 'flavorprofile',
  many: 'flavorprofiles',
  table: 'flavor_profiles',
  attributes: profileOf('flavor_data'),
}

export const availabilityZones: Resource = {
  ...plane,
  key: 'name',
  noun: 'Availability zone',
  one: 'availability_zone',
  many: 'availability_zones',
  table: 'availability_zones',
  attributes: {
    name: text('name'),
    description: text('description'),
    enabled: boolean('enabled'),
    availability_zone_profile_id: id('profile_id'),
  },
}

export const availabilityZoneProfiles: Resource = {
  ...plane,
  key: 'id',
  noun: 'Availability zone profile',
  one: 'availability_zone_profile',
  many: 'availability_zone_profiles',
  table: 'availability_zone_profiles',
  attributes: profileOf('availability_zone_data'),
}
