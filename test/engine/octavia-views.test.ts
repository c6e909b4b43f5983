import type { Body } from '../support/http.js'
import { type OctaviaWorld, octaviaWorld, TIME, UUID } from './support/octavia-world.js'

let world: OctaviaWorld
const made: Record<string, Body> = {}
/** Where each is shown. */
const places: Record<string, string> = {}

const http = { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2 }

beforeAll(async () => {
  world = await octaviaWorld()
  const { create } = world
  made.loadbalancer = await world.balancer({ name: 'shown' })
  const { id: loadbalancer_id } = made.loadbalancer
  made.listener = await create('listeners', { listener: { loadbalancer_id, protocol: 'HTTP', protocol_port: 80 } })
  made.pool = await create('pools', {
    pool: { listener_id: made.listener.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
  })
  places.member = `pools/${made.pool.id}/members`
  made.member = await create(places.member, { member: { address: '192.0.2.1', protocol_port: 8080 } })
  made.healthmonitor = await create('healthmonitors', { healthmonitor: { pool_id: made.pool.id, ...http } })
  made.l7policy = await create('l7policies', { l7policy: { listener_id: made.listener.id, action: 'REJECT' } })
  places.rule = `l7policies/${made.l7policy.id}/rules`
  made.rule = await create(places.rule, { rule: { type: 'PATH', compare_type: 'EQUAL_TO', value: '/x' } })
  Object.assign(places, {
    ...{ loadbalancer: 'loadbalancers', listener: 'listeners', pool: 'pools' },
    ...{ healthmonitor: 'healthmonitors', l7policy: 'l7policies' },
  })
})
afterAll(() => world?.stop())

/** All that Octavia shows of everything under a balancer, and as it is where nothing was said. */
const alike = {
  ...{ id: expect.stringMatching(UUID), admin_state_up: true, tags: [] },
  ...{
    provisioning_status: 'ACTIVE',
    created_at: expect.stringMatching(TIME),
    updated_at: expect.stringMatching(TIME),
  },
  ...{ project_id: expect.any(String), tenant_id: expect.any(String) },
}
const named = { name: '', description: '' }
const tls = { tls_ciphers: null, tls_versions: [], alpn_protocols: [] }

const views: Readonly<Record<string, () => Body>> = {
  loadbalancer: () => ({
    ...{ ...alike, name: 'shown', description: '', operating_status: 'OFFLINE', provider: 'simulated' },
    ...{ vip_address: expect.stringMatching(/^10\.20\./), vip_port_id: expect.stringMatching(UUID) },
    ...{ vip_subnet_id: world.subnet, vip_network_id: world.subnet, vip_qos_policy_id: null, additional_vips: [] },
    ...{ flavor_id: null, availability_zone: null },
    ...{ listeners: [{ id: made.listener.id }], pools: [{ id: made.pool.id }] },
  }),
  listener: () => ({
    ...{ ...alike, ...named, ...tls, operating_status: 'OFFLINE', protocol: 'HTTP', protocol_port: 80 },
    ...{ connection_limit: -1, default_pool_id: made.pool.id, insert_headers: {}, allowed_cidrs: null },
    ...{ timeout_client_data: 50_000, timeout_member_connect: 5_000, timeout_member_data: 50_000 },
    ...{ timeout_tcp_inspect: 0, default_tls_container_ref: null, sni_container_refs: [] },
    ...{ client_authentication: 'NONE', client_ca_tls_container_ref: null, client_crl_container_ref: null },
    ...{ hsts_include_subdomains: false, hsts_max_age: null, hsts_preload: false },
    ...{ loadbalancers: [{ id: made.loadbalancer.id }], l7policies: [{ id: made.l7policy.id }] },
  }),
  pool: () => ({
    ...{ ...alike, ...named, ...tls, operating_status: 'OFFLINE', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
    ...{ session_persistence: null, tls_enabled: false, tls_container_ref: null, ca_tls_container_ref: null },
    ...{ crl_container_ref: null, healthmonitor_id: made.healthmonitor.id, members: [{ id: made.member.id }] },
    ...{ listeners: [{ id: made.listener.id }], loadbalancers: [{ id: made.loadbalancer.id }] },
  }),
  member: () => ({
    ...{ ...alike, name: '', operating_status: 'OFFLINE', address: '192.0.2.1', protocol_port: 8080, weight: 1 },
    ...{ backup: false, subnet_id: null, monitor_address: null, monitor_port: null },
  }),
  healthmonitor: () => ({
    ...{ ...alike, ...http, name: '', operating_status: 'OFFLINE', max_retries_down: 3, http_method: 'GET' },
    ...{ url_path: '/', expected_codes: '200', http_version: null, domain_name: null, pools: [{ id: made.pool.id }] },
  }),
  l7policy: () => ({
    ...{
      ...alike,
      ...named,
      operating_status: 'OFFLINE',
      listener_id: made.listener.id,
      action: 'REJECT',
      position: 1,
    },
    ...{ redirect_pool_id: null, redirect_url: null, redirect_prefix: null, redirect_http_code: null },
    ...{ rules: [{ id: made.rule.id }] },
  }),
  rule: () => ({
    ...{ ...alike, operating_status: 'OFFLINE', type: 'PATH', compare_type: 'EQUAL_TO', key: null, value: '/x' },
    ...{ invert: false },
  }),
}

const nouns = Object.keys(views)

describe('a view on the Octavia API', () => {
  it.each(nouns)('of a %s has every attribute, and nothing else', async (noun) => {
    const shown = await world.becomesActive(`${places[noun]}/${made[noun].id}`)
    expect(shown).toEqual(views[noun]?.())
    expect(shown.tenant_id).toBe(shown.project_id)
  })

  it.each(nouns)('of a %s stands alike in its list', async (noun) => {
    await world.becomesActive(`${places[noun]}/${made[noun].id}`)
    const { body } = await world.client.get(`${places[noun]}?id=${made[noun].id}`)
    const many = places[noun]?.split('/').at(-1) ?? ''
    expect(body).toEqual({ [many]: [views[noun]?.()], [`${many}_links`]: [] })
  })

  it.each(nouns)('of a %s is narrowed to the fields that are asked for', async (noun) => {
    const where = `${places[noun]}/${made[noun].id}`
    for (const query of [
      'fields=id&fields=project_id',
      'fields=id,project_id',
      'fields=id&fields=project_id&fields=x',
    ]) {
      const [shown] = Object.values<Body>((await world.client.get(`${where}?${query}`)).body)
      expect(Object.keys(shown).sort()).toEqual(['id', 'project_id'])
    }
  })

  it.each(nouns)('of a %s is PENDING_CREATE as it is made', (noun) => {
    expect(made[noun]).toMatchObject({ provisioning_status: 'PENDING_CREATE', operating_status: 'OFFLINE' })
  })

  it.each(nouns)('of a %s is PENDING_UPDATE as it is changed, and its tags are replaced', async (noun) => {
    const where = `${places[noun]}/${made[noun].id}`
    const put = (tags: unknown) => world.client.put(where, { [noun]: { tags } })
    expect(await put(['a', 'b'])).toMatchObject({
      status: 200,
      body: { [noun]: { tags: ['a', 'b'], provisioning_status: 'PENDING_UPDATE' } },
    })
    expect((await put(['c'])).body[noun].tags).toEqual(['c'])
    expect((await put([])).body[noun].tags).toEqual([])
    expect((await world.becomesActive(where)).tags).toEqual([])
  })

  it.each(nouns)('of a %s can be disabled and enabled by words', async (noun) => {
    const where = `${places[noun]}/${made[noun].id}`
    for (const [said, is] of [
      ['False', false],
      ['True', true],
      [false, false],
      [true, true],
    ])
      expect((await world.client.put(where, { [noun]: { admin_state_up: said } })).body[noun].admin_state_up).toBe(is)
    await world.becomesActive(where)
  })

  it.each(nouns)('of a %s ignores the project that is said of what has a balancer', async (noun) => {
    expect(made[noun].project_id).toBe(made.loadbalancer.project_id)
  })
})

describe('statuses and statistics on the Octavia API', () => {
  const nothing = { active_connections: 0, bytes_in: 0, bytes_out: 0, request_errors: 0, total_connections: 0 }

  it('are a tree of names and statuses', async () => {
    await world.becomesActive(`loadbalancers/${made.loadbalancer.id}`)
    const status = { provisioning_status: 'ACTIVE', operating_status: 'OFFLINE' }
    const pool = {
      ...{ ...status, id: made.pool.id, name: '' },
      health_monitor: { ...status, id: made.healthmonitor.id, name: '', type: 'HTTP' },
      members: [{ ...status, id: made.member.id, name: '', address: '192.0.2.1', protocol_port: 8080 }],
    }
    const statuses = {
      loadbalancer: {
        ...{ ...status, id: made.loadbalancer.id, name: 'shown' },
        listeners: [{ ...status, id: made.listener.id, name: '', pools: [pool] }],
        pools: [pool],
      },
    }
    expect((await world.client.get(`loadbalancers/${made.loadbalancer.id}/status`)).body).toEqual({ statuses })
    expect((await world.client.get(`loadbalancers/${made.loadbalancer.id}/statuses`)).body).toEqual({ statuses })
  })

  it('have five counters', async () => {
    for (const where of [`loadbalancers/${made.loadbalancer.id}/stats`, `listeners/${made.listener.id}/stats`])
      expect((await world.client.get(where)).body).toEqual({ stats: nothing })
  })

  it.each(['status', 'stats', 'failover'])('%s of what there is not is 404', async (what) => {
    const where = `loadbalancers/${'0'.repeat(8)}-0000-4000-8000-${'0'.repeat(12)}/${what}`
    const reply = what === 'failover' ? await world.client.put(where) : await world.client.get(where)
    expect(reply.status).toBe(404)
  })

  it('a failover has no reply, and the balancer is ACTIVE soon', async () => {
    expect(await world.client.put(`loadbalancers/${made.loadbalancer.id}/failover`)).toMatchObject({
      status: 202,
      body: undefined,
    })
    await world.becomesActive(`loadbalancers/${made.loadbalancer.id}`)
  })
})
