import { randomUUID } from 'node:crypto'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { type AnsweringHost, answeringHost } from './support/answering-host.js'
import { type OctaviaClient, octavia, withToken } from './support/octavia.js'

const FAULT = { faultcode: 'Client', faultstring: expect.any(String), debuginfo: null }
const NOBODY = '00000000-0000-4000-8000-00000000dead'

let engine: TestEngine
let client: OctaviaClient
let host: AnsweringHost
let subnet: string
/** A balancer with one of each under it, which no test changes. */
const made: Record<string, Body> = {}

beforeAll(async () => {
  engine = await startTestEngine()
  client = octavia(engine.url, withToken(engine.token))
  subnet = (await engine.http.post('/api/v1/networks', { name: 'public', cidr: '10.20.0.0/16' })).body.id
  host = await answeringHost(engine, 'b1', ['haproxy', 'simulated'])
  made.lb = await create('loadbalancers', 'loadbalancer', { name: 'first', vip_subnet_id: subnet, provider: 'haproxy' })
  made.listener = await create('listeners', 'listener', {
    loadbalancer_id: made.lb.id,
    protocol: 'HTTP',
    protocol_port: '80',
  })
  made.pool = await create('pools', 'pool', {
    listener_id: made.listener.id,
    protocol: 'HTTP',
    lb_algorithm: 'ROUND_ROBIN',
  })
  made.member = await create(`pools/${made.pool.id}/members`, 'member', { address: '192.0.2.1', protocol_port: 8080 })
  made.monitor = await create('healthmonitors', 'healthmonitor', { pool_id: made.pool.id, ...http })
  made.policy = await create('l7policies', 'l7policy', { listener_id: made.listener.id, action: 'REJECT' })
  made.rule = await create(`l7policies/${made.policy.id}/rules`, 'rule', path('/x'))
})
afterAll(async () => {
  host?.stop()
  await engine?.stop()
})

const http = { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 }
const path = (value: string) => ({ type: 'PATH', compare_type: 'STARTS_WITH', value })

async function create(where: string, one: string, body: object): Promise<Body> {
  const reply = await client.post(where, { [one]: body })
  if (reply.status !== 201) throw new Error(`${where}: ${reply.status} ${JSON.stringify(reply.body)}`)
  return reply.body[one]
}

const balancer = (body: object = {}) =>
  create('loadbalancers', 'loadbalancer', { vip_subnet_id: subnet, provider: 'simulated', ...body })

const isActive = (where: string, one: string) =>
  eventually(async () => expect((await client.get(where)).body[one].provisioning_status).toBe('ACTIVE'))

const MANY_KEYS =
  'sort=id,name,description,provider,created_at,updated_at,vip_address,operating_status,provisioning_status'

describe('what is made on the Octavia API', () => {
  it('is PENDING_CREATE in the reply, and ACTIVE soon', async () => {
    expect(made.lb).toMatchObject({ provisioning_status: 'PENDING_CREATE', operating_status: 'OFFLINE' })
    expect(made.rule).toMatchObject({ provisioning_status: 'PENDING_CREATE' })
    await isActive(`loadbalancers/${made.lb.id}`, 'loadbalancer')
    await isActive(`l7policies/${made.policy.id}/rules/${made.rule.id}`, 'rule')
  })

  it('a load balancer shows all that Octavia shows', async () => {
    const { loadbalancer } = (await client.get(`loadbalancers/${made.lb.id}`)).body
    expect(loadbalancer).toEqual({
      id: made.lb.id,
      name: 'first',
      description: '',
      provisioning_status: expect.any(String),
      operating_status: 'OFFLINE',
      admin_state_up: true,
      project_id: expect.any(String),
      tenant_id: loadbalancer.project_id,
      created_at: expect.stringMatching(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/),
      updated_at: expect.anything(),
      tags: [],
      provider: 'haproxy',
      vip_address: expect.stringMatching(/^10\.20\./),
      vip_port_id: expect.any(String),
      vip_subnet_id: subnet,
      vip_network_id: subnet,
      vip_qos_policy_id: null,
      additional_vips: [],
      flavor_id: null,
      availability_zone: null,
      listeners: [{ id: made.listener.id }],
      pools: [{ id: made.pool.id }],
    })
  })

  it('a listener has its defaults', () => {
    expect(made.listener).toMatchObject({
      connection_limit: -1,
      timeout_client_data: 50_000,
      timeout_member_connect: 5_000,
      timeout_member_data: 50_000,
      timeout_tcp_inspect: 0,
      protocol_port: 80,
      default_pool_id: null,
      allowed_cidrs: null,
      insert_headers: {},
      sni_container_refs: [],
      default_tls_container_ref: null,
      client_authentication: 'NONE',
      loadbalancers: [{ id: made.lb.id }],
      l7policies: [],
      updated_at: null,
    })
  })

  it('a pool leads back to what leads to it', async () => {
    const { pool } = (await client.get(`pools/${made.pool.id}`)).body
    expect(pool).toMatchObject({
      loadbalancers: [{ id: made.lb.id }],
      listeners: [{ id: made.listener.id }],
      members: [{ id: made.member.id }],
      healthmonitor_id: made.monitor.id,
      session_persistence: null,
      tls_enabled: false,
    })
    expect((await client.get(`listeners/${made.listener.id}`)).body.listener).toMatchObject({
      default_pool_id: made.pool.id,
      l7policies: [{ id: made.policy.id }],
    })
  })

  it('the others have their defaults', () => {
    expect(made.member).toMatchObject({
      weight: 1,
      backup: false,
      subnet_id: null,
      monitor_port: null,
      monitor_address: null,
    })
    expect(made.monitor).toMatchObject({
      http_method: 'GET',
      url_path: '/',
      expected_codes: '200',
      max_retries_down: 3,
      http_version: null,
      pools: [{ id: made.pool.id }],
    })
    expect(made.policy).toMatchObject({ position: 1, action: 'REJECT', redirect_http_code: null, rules: [] })
    expect(made.rule).toMatchObject({ invert: false, key: null, type: 'PATH', compare_type: 'STARTS_WITH' })
  })

  it('is there under the alias as well', async () => {
    expect((await client.get(`/v2/lbaas/loadbalancers/${made.lb.id}`)).status).toBe(200)
  })

  it('has its statuses as a tree, and statistics', async () => {
    const { loadbalancer } = (await client.get(`loadbalancers/${made.lb.id}/status`)).body.statuses
    expect(loadbalancer).toMatchObject({
      id: made.lb.id,
      listeners: [
        {
          id: made.listener.id,
          pools: [
            {
              id: made.pool.id,
              members: [{ id: made.member.id, address: '192.0.2.1', protocol_port: 8080 }],
              health_monitor: { id: made.monitor.id, type: 'HTTP' },
            },
          ],
        },
      ],
    })
    const nothing = { active_connections: 0, bytes_in: 0, bytes_out: 0, request_errors: 0, total_connections: 0 }
    expect((await client.get(`loadbalancers/${made.lb.id}/stats`)).body.stats).toEqual(nothing)
    expect((await client.get(`listeners/${made.listener.id}/stats`)).body.stats).toEqual(nothing)
  })
})

type Case = readonly [what: string, where: () => string, body: () => object, status: number]

const inBalancer = (more: object) => () => ({ loadbalancer: { vip_subnet_id: subnet, ...more } })
const inListener = (more: object) => () => ({
  listener: { loadbalancer_id: made.lb.id, protocol: 'HTTP', protocol_port: 81, ...more },
})
const inPool = (more: object) => () => ({
  pool: { loadbalancer_id: made.lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more },
})
const inMember = (more: object) => () => ({ member: { address: '192.0.2.9', protocol_port: 80, ...more } })
const inPolicy = (more: object) => () => ({
  l7policy: { listener_id: made.listener.id, action: 'REJECT', ...more },
})
const at =
  (where: string, ...nouns: string[]) =>
  () =>
    nouns.reduce((text, noun) => text.replace('*', made[noun].id), where)

const wrong: readonly Case[] = [
  ['a balancer without a VIP', at('loadbalancers'), () => ({ loadbalancer: { name: 'a' } }), 400],
  ['a balancer with a name without end', at('loadbalancers'), inBalancer({ name: 'a'.repeat(256) }), 400],
  ['a balancer of an unknown provider', at('loadbalancers'), inBalancer({ provider: 'none' }), 400],
  ['a balancer of an unknown flavor', at('loadbalancers'), inBalancer({ flavor_id: NOBODY }), 400],
  ['a balancer in an unknown zone', at('loadbalancers'), inBalancer({ availability_zone: 'none' }), 400],
  ['a balancer on an unknown subnet', at('loadbalancers'), inBalancer({ vip_subnet_id: NOBODY }), 400],
  ['a balancer on an unknown port', at('loadbalancers'), inBalancer({ vip_port_id: NOBODY }), 400],
  ['a balancer with an address that is none', at('loadbalancers'), inBalancer({ vip_address: 'none' }), 400],
  ['a balancer with an address of elsewhere', at('loadbalancers'), inBalancer({ vip_address: '192.0.2.1' }), 400],
  ['a balancer with an attribute of its own', at('loadbalancers'), inBalancer({ colour: 'red' }), 400],
  ['a balancer that is no object', at('loadbalancers'), () => ({ loadbalancer: 'a' }), 400],
  ['a balancer with several VIPs', at('loadbalancers'), inBalancer({ additional_vips: [{ subnet_id: NOBODY }] }), 501],
  ['a balancer with an id of its own', at('loadbalancers'), inBalancer({ id: NOBODY }), 400],
  [
    'a tree whose pools have one name',
    at('loadbalancers'),
    inBalancer({
      pools: [0, 1].map(() => ({ name: 'a', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' })),
    }),
    400,
  ],
  ['a tree whose pool has no protocol', at('loadbalancers'), inBalancer({ pools: [{ name: 'a' }] }), 400],
  ['a listener of no balancer', at('listeners'), () => ({ listener: { protocol: 'HTTP', protocol_port: 1 } }), 400],
  ['a listener of an unknown balancer', at('listeners'), inListener({ loadbalancer_id: NOBODY }), 404],
  ['a listener without a protocol', at('listeners'), inListener({ protocol: null }), 400],
  ['a listener of an unknown protocol', at('listeners'), inListener({ protocol: 'FTP' }), 400],
  ['a listener at a port that is none', at('listeners'), inListener({ protocol_port: 65_536 }), 400],
  ['a listener at port 0', at('listeners'), inListener({ protocol_port: 0 }), 400],
  ['a listener at a port that is a word', at('listeners'), inListener({ protocol_port: 'http' }), 400],
  ['a listener at a port that is taken', at('listeners'), inListener({ protocol_port: 80 }), 409],
  ['a listener with a CIDR that is none', at('listeners'), inListener({ allowed_cidrs: ['none'] }), 400],
  ['a listener with a header that is none', at('listeners'), inListener({ insert_headers: { A: 'true' } }), 400],
  ['a listener with a timeout without end', at('listeners'), inListener({ timeout_client_data: 31_536_000_001 }), 400],
  ['a listener with a limit that is none', at('listeners'), inListener({ connection_limit: -2 }), 400],
  ['a listener to an unknown pool', at('listeners'), inListener({ default_pool_id: NOBODY }), 404],
  ['a listener of a protocol that haproxy lacks', at('listeners'), inListener({ protocol: 'UDP' }), 501],
  ['a listener that asks for ciphers', at('listeners'), inListener({ tls_ciphers: 'NULL' }), 501],
  ['a TLS listener without a certificate', at('listeners'), inListener({ protocol: 'TERMINATED_HTTPS' }), 400],
  ['a pool of nothing', at('pools'), inPool({ loadbalancer_id: null }), 400],
  ['a pool of an unknown listener', at('pools'), inPool({ listener_id: NOBODY }), 404],
  ['a pool without an algorithm', at('pools'), inPool({ lb_algorithm: null }), 400],
  ['a pool of an unknown algorithm', at('pools'), inPool({ lb_algorithm: 'LUCK' }), 400],
  ['a pool of an unknown protocol', at('pools'), inPool({ protocol: 'FTP' }), 400],
  [
    'a second default pool',
    at('pools'),
    () => ({ pool: { listener_id: made.listener.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } }),
    409,
  ],
  ['a cookie without a name', at('pools'), inPool({ session_persistence: { type: 'APP_COOKIE' } }), 400],
  [
    'a cookie name where there is none',
    at('pools'),
    inPool({ session_persistence: { type: 'SOURCE_IP', cookie_name: 'a' } }),
    400,
  ],
  ['a persistence that is none', at('pools'), inPool({ session_persistence: { type: 'LUCK' } }), 400],
  ['a member of an unknown pool', () => `pools/${NOBODY}/members`, inMember({}), 404],
  ['a member without an address', at('pools/*/members', 'pool'), inMember({ address: null }), 400],
  ['a member at an address that is none', at('pools/*/members', 'pool'), inMember({ address: 'none' }), 400],
  ['a member at a port that is none', at('pools/*/members', 'pool'), inMember({ protocol_port: 0 }), 400],
  ['a member of a weight that is none', at('pools/*/members', 'pool'), inMember({ weight: 257 }), 400],
  ['a member of an unknown subnet', at('pools/*/members', 'pool'), inMember({ subnet_id: NOBODY }), 400],
  ['a member twice', at('pools/*/members', 'pool'), inMember({ address: '192.0.2.1', protocol_port: 8080 }), 409],
  ['a second monitor', at('healthmonitors'), () => ({ healthmonitor: { pool_id: made.pool.id, ...http } }), 409],
  ['a monitor of no pool', at('healthmonitors'), () => ({ healthmonitor: http }), 400],
  ['a monitor of an unknown pool', at('healthmonitors'), () => ({ healthmonitor: { pool_id: NOBODY, ...http } }), 404],
  [
    'a monitor without a delay',
    at('healthmonitors'),
    () => ({ healthmonitor: { pool_id: made.pool.id, ...http, delay: null } }),
    400,
  ],
  [
    'a monitor of too many retries',
    at('healthmonitors'),
    () => ({ healthmonitor: { pool_id: made.pool.id, ...http, max_retries: 11 } }),
    400,
  ],
  ['a policy of no listener', at('l7policies'), inPolicy({ listener_id: null }), 400],
  ['a policy of an unknown listener', at('l7policies'), inPolicy({ listener_id: NOBODY }), 404],
  ['a policy of an unknown action', at('l7policies'), inPolicy({ action: 'SMILE' }), 400],
  ['a policy to no pool', at('l7policies'), inPolicy({ action: 'REDIRECT_TO_POOL' }), 400],
  [
    'a policy to an unknown pool',
    at('l7policies'),
    inPolicy({ action: 'REDIRECT_TO_POOL', redirect_pool_id: NOBODY }),
    404,
  ],
  ['a policy to no URL', at('l7policies'), inPolicy({ action: 'REDIRECT_TO_URL' }), 400],
  ['a policy at position 0', at('l7policies'), inPolicy({ position: 0 }), 400],
  ['a rule of an unknown policy', () => `l7policies/${NOBODY}/rules`, () => ({ rule: path('/') }), 404],
  [
    'a rule of an unknown type',
    at('l7policies/*/rules', 'policy'),
    () => ({ rule: { ...path('/'), type: 'MOON' } }),
    400,
  ],
  [
    'a rule of an unknown comparison',
    at('l7policies/*/rules', 'policy'),
    () => ({ rule: { ...path('/'), compare_type: 'LIKE' } }),
    400,
  ],
  ['a rule without a value', at('l7policies/*/rules', 'policy'), () => ({ rule: { ...path('/'), value: null } }), 400],
  [
    'a header rule without a key',
    at('l7policies/*/rules', 'policy'),
    () => ({ rule: { ...path('a'), type: 'HEADER' } }),
    400,
  ],
]

describe('on the Octavia API', () => {
  it.each(wrong)('%s is refused', async (_, where, body, status) => {
    const reply = await client.post(where(), body())
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject({ ...FAULT, faultcode: status === 501 ? 'Server' : 'Client' })
  })

  const changes: readonly Case[] = [
    ['the VIP of a balancer', at('loadbalancers/*', 'lb'), inBalancer({}), 400],
    ['the provider of a balancer', at('loadbalancers/*', 'lb'), () => ({ loadbalancer: { provider: 'nginx' } }), 400],
    ['the port of a listener', at('listeners/*', 'listener'), () => ({ listener: { protocol_port: 90 } }), 400],
    [
      'the balancer of a listener',
      at('listeners/*', 'listener'),
      () => ({ listener: { loadbalancer_id: NOBODY } }),
      400,
    ],
    ['the protocol of a pool', at('pools/*', 'pool'), () => ({ pool: { protocol: 'TCP' } }), 400],
    [
      'the address of a member',
      at('pools/*/members/*', 'pool', 'member'),
      () => ({ member: { address: '192.0.2.3' } }),
      400,
    ],
    ['the type of a monitor', at('healthmonitors/*', 'monitor'), () => ({ healthmonitor: { type: 'TCP' } }), 400],
    ['the listener of a policy', at('l7policies/*', 'policy'), () => ({ l7policy: { listener_id: NOBODY } }), 400],
    [
      'a listener to an unknown pool',
      at('listeners/*', 'listener'),
      () => ({ listener: { default_pool_id: NOBODY } }),
      404,
    ],
    ['nothing, as the body is empty,', at('pools/*', 'pool'), () => ({}), 400],
    ['an unknown listener', () => `listeners/${NOBODY}`, () => ({ listener: { name: 'a' } }), 404],
    ['an unknown balancer', () => `loadbalancers/${NOBODY}`, () => ({ loadbalancer: { name: 'a' } }), 404],
  ]

  it.each(changes)('%s is not changed', async (_, where, body, status) => {
    expect(await client.put(where(), body())).toMatchObject({ status, body: FAULT })
  })

  it.each(['loadbalancers', 'listeners', 'pools', 'healthmonitors', 'l7policies'])(
    'what is none of the %s is 404',
    async (many) => {
      for (const id of [NOBODY, 'none']) {
        expect(await client.get(`${many}/${id}`)).toMatchObject({ status: 404, body: FAULT })
        expect((await client.delete(`${many}/${id}`)).status).toBe(404)
      }
    },
  )

  it('a member of another pool is 404', async () => {
    const { id } = await create('pools', 'pool', {
      loadbalancer_id: made.lb.id,
      protocol: 'HTTP',
      lb_algorithm: 'SOURCE_IP',
    })
    expect((await client.get(`pools/${id}/members/${made.member.id}`)).status).toBe(404)
    expect((await client.get(`pools/${NOBODY}/members`)).status).toBe(404)
    expect((await client.delete(`pools/${id}`)).status).toBe(204)
  })

  it('a balancer that is not empty goes by cascade alone', async () => {
    const lb = await balancer()
    await create('listeners', 'listener', { loadbalancer_id: lb.id, protocol: 'TCP', protocol_port: 1 })
    expect(await client.delete(`loadbalancers/${lb.id}`)).toMatchObject({ status: 400, body: FAULT })
    expect((await client.delete(`loadbalancers/${lb.id}?cascade=True`)).status).toBe(204)
    await eventually(async () => expect((await client.get(`loadbalancers/${lb.id}`)).status).toBe(404))
  })

  it('TCP and UDP share a port', async () => {
    const lb = await balancer()
    for (const protocol of ['TCP', 'UDP'])
      await create('listeners', 'listener', { loadbalancer_id: lb.id, protocol, protocol_port: 53 })
  })

  it('a disabled flavor makes no balancer, and an enabled one says its provider', async () => {
    const flavorprofile = { name: 'p', provider_name: 'simulated', flavor_data: '{}' }
    const profile = await create('flavorprofiles', 'flavorprofile', flavorprofile)
    const flavor = await create('flavors', 'flavor', { name: 'f', flavor_profile_id: profile.id })
    const body = { loadbalancer: { vip_subnet_id: subnet, flavor_id: flavor.id } }
    expect((await client.post('loadbalancers', body)).body.loadbalancer).toMatchObject({
      flavor_id: flavor.id,
      provider: 'simulated',
    })
    await client.put(`flavors/${flavor.id}`, { flavor: { enabled: false } })
    expect((await client.post('loadbalancers', body)).status).toBe(400)
    expect((await client.delete(`flavors/${flavor.id}`)).status).toBe(409)
  })
})

describe('what is changed on the Octavia API', () => {
  it('is PENDING_UPDATE in the reply, and puts back to its default what is null', async () => {
    const lb = await balancer({ name: 'a', description: 'b', tags: ['x'] })
    const changed = await client.put(`loadbalancers/${lb.id}`, {
      loadbalancer: { name: 'c', description: null, admin_state_up: 'False' },
    })
    expect(changed).toMatchObject({
      status: 200,
      body: {
        loadbalancer: {
          provisioning_status: 'PENDING_UPDATE',
          ...{ name: 'c', description: '', admin_state_up: false, tags: ['x'] },
        },
      },
    })
    await isActive(`loadbalancers/${lb.id}`, 'loadbalancer')
  })

  it('a listener takes the texts of clients for numbers, and gives them back as such', async () => {
    const lb = await balancer()
    const listener = await create('listeners', 'listener', {
      loadbalancer_id: lb.id,
      protocol: 'HTTP',
      protocol_port: '8080',
      connection_limit: '100',
      insert_headers: { 'X-Forwarded-For': 'true' },
    })
    expect(listener).toMatchObject({ connection_limit: 100, insert_headers: { 'X-Forwarded-For': 'true' } })
    const body = { listener: { connection_limit: null, allowed_cidrs: ['10.0.0.0/8'], insert_headers: null } }
    expect((await client.put(`listeners/${listener.id}`, body)).body.listener).toMatchObject({
      ...{ connection_limit: -1, allowed_cidrs: ['10.0.0.0/8'], insert_headers: {} },
    })
  })

  it('all members are put at once, and with additive_only none leaves', async () => {
    const lb = await balancer()
    const pool = await create('pools', 'pool', {
      ...{ loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
    })
    const members = (...ports: number[]) => ports.map((port) => ({ address: '192.0.2.1', protocol_port: port }))
    const ports = async () =>
      (await client.get(`pools/${pool.id}/members?sort=protocol_port`)).body.members.map(
        (one: Body) => one.protocol_port,
      )
    const where = `pools/${pool.id}/members`
    expect((await client.put(where, { members: members(1, 2) })).status).toBe(202)
    expect(await ports()).toEqual([1, 2])
    await client.put(`${where}?additive_only=True`, { members: members(3) })
    expect(await ports()).toEqual([1, 2, 3])
    await client.put(where, { members: members(2) })
    await eventually(async () => expect(await ports()).toEqual([2]))
    expect((await client.put(where, { members: members(4, 4) })).status).toBe(409)
    expect((await client.put(where, {})).status).toBe(400)
    expect((await client.put(where, { members: [{ address: 'none', protocol_port: 1 }] })).status).toBe(400)
  })

  it('policies keep their positions gapless', async () => {
    const lb = await balancer()
    const { id } = await create('listeners', 'listener', {
      ...{ loadbalancer_id: lb.id, protocol: 'HTTP', protocol_port: 80 },
    })
    const policy = (name: string, position?: number) =>
      create('l7policies', 'l7policy', { listener_id: id, action: 'REJECT', name, position })
    await policy('a')
    await policy('b')
    const first = await policy('c', 1)
    const names = async () =>
      (await client.get(`l7policies?listener_id=${id}&sort=position`)).body.l7policies.map((one: Body) => one.name)
    expect(await names()).toEqual(['c', 'a', 'b'])
    await client.put(`l7policies/${first.id}`, { l7policy: { position: 3 } })
    expect(await names()).toEqual(['a', 'b', 'c'])
  })

  it('a policy has up to 50 rules', async () => {
    const lb = await balancer({
      listeners: [
        {
          ...{ protocol: 'HTTP', protocol_port: 80 },
          l7policies: [{ action: 'REJECT', rules: Array.from({ length: 50 }, (_, index) => path(`/${index}`)) }],
        },
      ],
    })
    const [{ l7policies }] = lb.listeners
    expect(await client.post(`l7policies/${l7policies[0].id}/rules`, { rule: path('/51') })).toMatchObject({
      status: 409,
      body: FAULT,
    })
  })
})

describe('a whole tree in one call', () => {
  it('is made, and shown whole in the reply', async () => {
    const pool = (name: string) => ({ name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' })
    const lb = await balancer({
      listeners: [
        {
          ...{ name: 'web', protocol: 'HTTP', protocol_port: 80, default_pool: { name: 'a' } },
          l7policies: [{ action: 'REDIRECT_TO_POOL', redirect_pool: { name: 'b' }, rules: [path('/b')], name: 'to-b' }],
        },
      ],
      pools: [{ ...pool('a'), members: [{ address: '192.0.2.1', protocol_port: 80 }], healthmonitor: http }, pool('b')],
    })
    expect(lb.pools.map(({ name }: Body) => name).sort()).toEqual(['a', 'b'])
    const [a, b] = [...lb.pools].sort((one: Body, other: Body) => one.name.localeCompare(other.name))
    expect(a).toMatchObject({ members: [{ address: '192.0.2.1' }], healthmonitor: { type: 'HTTP' } })
    expect(lb.listeners).toMatchObject([
      { default_pool_id: a.id, l7policies: [{ redirect_pool_id: b.id, rules: [{ value: '/b' }] }] },
    ])
    await isActive(`loadbalancers/${lb.id}`, 'loadbalancer')
  })
})

describe('while a balancer is pending', () => {
  afterEach(() => host.release())

  it('a change waits for it a moment, and clients need not', async () => {
    const lb = await balancer()
    const replies = await Promise.all(
      [1, 2, 3, 4].map((port) =>
        client.post('listeners', { listener: { loadbalancer_id: lb.id, protocol: 'TCP', protocol_port: port } }),
      ),
    )
    expect(replies.map(({ status }) => status)).toEqual([201, 201, 201, 201])
  })

  it('and stays so, changes and deletes are refused as Octavia refuses them', async () => {
    host.hold()
    const lb = await balancer()
    const faultstring = `Load Balancer ${lb.id} is immutable and cannot be updated.`
    const replies = await Promise.all([
      client.put(`loadbalancers/${lb.id}`, { loadbalancer: { name: 'a' } }),
      client.delete(`loadbalancers/${lb.id}`),
      client.post('listeners', { listener: { loadbalancer_id: lb.id, protocol: 'TCP', protocol_port: 1 } }),
    ])
    for (const reply of replies) expect(reply).toMatchObject({ status: 409, body: { ...FAULT, faultstring } })
  })
})

describe('a list of load balancers', () => {
  const tag = `list-${randomUUID()}`
  const names = async (query: string) =>
    (await client.get(`loadbalancers?tags=${tag}&${query}`)).body.loadbalancers.map(({ name }: Body) => name)

  beforeAll(async () => {
    await balancer({ name: 'a', tags: [tag, 'red'], admin_state_up: false })
    await balancer({ name: 'b', tags: [tag, 'red', 'green'] })
    await balancer({ name: 'c', tags: [tag], description: 'third' })
  })

  it.each([
    ['name=b', ['b']],
    ['name=a&name=c', ['a', 'c']],
    ['description=third', ['c']],
    ['admin_state_up=False', ['a']],
    ['admin_state_up=true', ['b', 'c']],
    ['provider=simulated&name=c', ['c']],
    [`id=${NOBODY}`, []],
    ['id=none', []],
    [`project_id=${NOBODY}`, []],
    [`tenant_id=${NOBODY}`, []],
    ['tags=red', ['a', 'b']],
    ['tags=red,green', ['b']],
    ['tags-any=green,blue', ['b']],
    ['not-tags=red,green', ['a', 'c']],
    ['not-tags-any=red,green', ['c']],
    ['sort=name:desc', ['c', 'b', 'a']],
    ['sort_key=admin_state_up&sort_dir=desc', ['c', 'b', 'a']],
    ['limit=2', ['a', 'b']],
    ['limit=0', ['a', 'b', 'c']],
  ])('with %s has %j', async (query, expected) => {
    expect(await names(query)).toEqual(expected)
  })

  it.each([
    'colour=red',
    'limit=many',
    'limit=few',
    `marker=${NOBODY}`,
    'sort=name:up',
    'admin_state_up=maybe',
    MANY_KEYS,
  ])('with %s is refused', async (query) => {
    expect(await client.get(`loadbalancers?${query}`)).toMatchObject({ status: 400, body: FAULT })
  })

  it('is narrowed by what is under a balancer', async () => {
    const { loadbalancers } = (await client.get(`loadbalancers?listeners=${made.listener.id}`)).body
    expect(loadbalancers.map(({ id }: Body) => id)).toEqual([made.lb.id])
    const { listeners } = (await client.get(`listeners?loadbalancer_id=${made.lb.id}`)).body
    expect(listeners.map(({ id }: Body) => id)).toEqual([made.listener.id])
  })

  it('shows a project its own alone', async () => {
    const project = await createProject(engine)
    const own = octavia(
      engine.url,
      withToken((await callerWith(engine, { projects: { [project]: 'operator' } })).token),
    )
    expect((await own.get('loadbalancers')).body.loadbalancers).toEqual([])
    expect((await own.get(`loadbalancers/${made.lb.id}`)).status).toBe(404)
    expect((await own.delete(`pools/${made.pool.id}`)).status).toBe(404)
    const mine = await own.post('loadbalancers', { loadbalancer: { vip_network_id: subnet, provider: 'simulated' } })
    expect(mine.body.loadbalancer).toMatchObject({ project_id: project, tenant_id: project })
    expect((await own.get('loadbalancers')).body.loadbalancers).toHaveLength(1)
  })
})

describe('over its quota', () => {
  it('a project is refused with 403', async () => {
    const project = await createProject(engine)
    await client.put(`quotas/${project}`, { quota: { load_balancer: 1, pool: 1 } })
    const lb = await balancer({ project_id: project })
    const more = { loadbalancer: { vip_subnet_id: subnet, project_id: project, provider: 'simulated' } }
    expect(await client.post('loadbalancers', more)).toMatchObject({
      status: 403,
      body: { faultstring: 'Quota has been met for resources: Load Balancer' },
    })
    const pool = { loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }
    await create('pools', 'pool', pool)
    expect((await client.post('pools', { pool })).status).toBe(403)
  })

  it('what goes makes room for what comes', async () => {
    const project = await createProject(engine)
    await client.put(`quotas/${project}`, { quota: { member: 1 } })
    const lb = await balancer({ project_id: project })
    const pool = await create('pools', 'pool', {
      loadbalancer_id: lb.id,
      protocol: 'HTTP',
      lb_algorithm: 'ROUND_ROBIN',
    })
    const put = (...addresses: string[]) => {
      const members = addresses.map((address) => ({ address, protocol_port: 80 }))
      return client.put(`pools/${pool.id}/members`, { members })
    }
    expect((await put('192.0.2.1')).status).toBe(202)
    expect((await put('192.0.2.2')).status).toBe(202)
    expect((await put('192.0.2.2', '192.0.2.3')).status).toBe(403)
  })

  it('a project is refused a whole tree with 403 as well', async () => {
    const project = await createProject(engine)
    await client.put(`quotas/${project}`, { quota: { pool: 1 } })
    const pools = ['a', 'b'].map((name) => ({ name, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }))
    const tree = { vip_subnet_id: subnet, project_id: project, provider: 'simulated', pools }
    expect((await client.post('loadbalancers', { loadbalancer: tree })).status).toBe(403)
  })
})
