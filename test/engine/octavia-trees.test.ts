import { createProject } from '../support/callers.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld, TIME, UUID } from './support/octavia-world.js'

let world: OctaviaWorld

beforeAll(async () => {
  world = await octaviaWorld()
})
afterAll(() => world?.stop())

const post = (more: object) =>
  world.client.post('loadbalancers', { loadbalancer: { vip_subnet_id: world.subnet, provider: 'simulated', ...more } })
const http = { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }

describe('a load balancer on the Octavia API', () => {
  it.each(['vip_subnet_id', 'vip_network_id'])('is made by its %s alone', async (name) => {
    const { body } = await world.client.post('loadbalancers', { loadbalancer: { [name]: world.subnet } })
    expect(body.loadbalancer).toMatchObject({ vip_subnet_id: world.subnet, vip_network_id: world.subnet })
  })

  it('has the address that it asks for, which nobody else has', async () => {
    const vip_address = '10.20.9.9'
    expect((await post({ vip_address })).body.loadbalancer.vip_address).toBe(vip_address)
    expect(await post({ vip_address })).toMatchObject({ status: 409, body: FAULT })
    expect((await world.client.get(`loadbalancers?vip_address=${vip_address}`)).body.loadbalancers).toHaveLength(1)
  })

  it('takes null for whatever it need not be told', async () => {
    const names = ['name', 'description', 'admin_state_up', 'vip_address', 'vip_port_id', 'vip_network_id', 'provider']
    const more = [
      'vip_qos_policy_id',
      'additional_vips',
      'flavor_id',
      'availability_zone',
      'listeners',
      'pools',
      'tags',
    ]
    const nulls = Object.fromEntries([...names, ...more, 'project_id', 'tenant_id'].map((name) => [name, null]))
    const reply = await post(nulls)
    expect(reply.status).toBe(201)
    expect(reply.body.loadbalancer).toMatchObject({ name: '', admin_state_up: true, tags: [], flavor_id: null })
  })

  const wrong: readonly (readonly [string, object, number])[] = [
    ['no VIP', { vip_subnet_id: undefined }, 400],
    ['an address alone', { vip_subnet_id: undefined, vip_address: '10.20.0.1' }, 400],
    ['a subnet that is no id', { vip_subnet_id: 'none' }, 400],
    ['a subnet that there is not', { vip_subnet_id: NOBODY }, 400],
    ['a network that there is not', { vip_subnet_id: undefined, vip_network_id: NOBODY }, 400],
    ['a subnet of another network', { vip_network_id: NOBODY }, 400],
    ['a port that there is not', { vip_subnet_id: undefined, vip_port_id: NOBODY }, 400],
    ['an address that is none', { vip_address: '10.20.0.999' }, 400],
    ['an address of elsewhere', { vip_address: '192.0.2.1' }, 400],
    ['a name of 256', { name: 'n'.repeat(256) }, 400],
    ['a description of 256', { description: 'd'.repeat(256) }, 400],
    ['a switch that is none', { admin_state_up: 'maybe' }, 400],
    ['a provider that there is not', { provider: 'none' }, 400],
    ['a flavor that there is not', { flavor_id: NOBODY }, 400],
    ['a flavor that is no id', { flavor_id: 'none' }, 400],
    ['a zone that there is not', { availability_zone: 'none' }, 400],
    ['an unknown attribute', { colour: 'red' }, 400],
    ['a status of its own', { provisioning_status: 'ACTIVE' }, 400],
    ['tags that are a text', { tags: 'a' }, 400],
    ['a QoS policy', { vip_qos_policy_id: NOBODY }, 501],
    ['an additional VIP', { additional_vips: [{ subnet_id: NOBODY }] }, 501],
    ['an additional VIP that is none', { additional_vips: [{ colour: 'red' }] }, 400],
  ]

  it.each(wrong)('with %s is refused', async (_, more, status) => {
    const reply = await post(more)
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject({ ...FAULT, faultcode: status === 501 ? 'Server' : 'Client' })
  })

  it('is changed in all that may be changed, and null puts back', async () => {
    const { id } = (await post({})).body.loadbalancer
    const put = async (change: object) =>
      (await world.client.put(`loadbalancers/${id}`, { loadbalancer: change })).body.loadbalancer
    const change = { name: 'b', description: 'c', admin_state_up: false, tags: ['t'] }
    expect(await put(change)).toMatchObject(change)
    expect(await put({ name: null, description: null, admin_state_up: null, tags: null })).toMatchObject({
      ...{ name: '', description: '', admin_state_up: true, tags: [] },
    })
    expect(await put({ vip_qos_policy_id: null })).toMatchObject({ id })
    for (const wrong of [
      ...[{ vip_address: '10.20.0.1' }, { vip_subnet_id: NOBODY }, { vip_network_id: NOBODY }, { vip_port_id: NOBODY }],
      ...[{ provider: 'haproxy' }, { flavor_id: NOBODY }, { availability_zone: 'a' }, { project_id: NOBODY }],
      ...[{ listeners: [] }, { pools: [] }, { id: NOBODY }, { operating_status: 'ONLINE' }, { additional_vips: [] }],
    ])
      expect(await world.client.put(`loadbalancers/${id}`, { loadbalancer: wrong })).toMatchObject({
        status: 400,
        body: FAULT,
      })
  })

  it.each(['cascade=true', 'cascade=True', 'cascade=1'])(
    'goes with all under it by %s, and alone without',
    async (how) => {
      const pools = [{ name: 'a', ...http }]
      const { id } = (await post({ listeners: [{ protocol: 'HTTP', protocol_port: 80 }], pools })).body.loadbalancer
      await world.becomesActive(`loadbalancers/${id}`)
      for (const query of ['', '?cascade=false', '?cascade=False'])
        expect(await world.client.delete(`loadbalancers/${id}${query}`)).toMatchObject({ status: 400, body: FAULT })
      for (const query of ['cascade', 'cascade=maybe'])
        expect((await world.client.delete(`loadbalancers/${id}?${query}`)).body.faultstring).toMatch(
          /neither true nor false/,
        )
      expect(await world.client.delete(`loadbalancers/${id}?${how}`)).toMatchObject({ status: 204, body: undefined })
      await eventually(async () => expect((await world.client.get(`loadbalancers/${id}`)).status).toBe(404))
      expect((await world.client.get(`pools?loadbalancer_id=${id}`)).body.pools).toEqual([])
      expect((await world.client.delete(`loadbalancers/${id}`)).status).toBe(404)
    },
  )
})

describe('a whole tree on the Octavia API', () => {
  const monitor = { type: 'HTTP', delay: 3, timeout: 2, max_retries: 1 }
  const rule = { type: 'PATH', compare_type: 'STARTS_WITH', value: '/a' }

  it('is shown whole as it is made: each part with all its attributes', async () => {
    const { status, body } = await post({
      name: 'tree',
      listeners: [
        {
          ...{ name: 'l', protocol: 'HTTP', protocol_port: '80', default_pool: { name: 'one' } },
          l7policies: [
            { name: 'to-two', action: 'REDIRECT_TO_POOL', redirect_pool: { name: 'two', ...http }, rules: [rule] },
            { name: 'away', action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example', position: 1 },
          ],
        },
        { name: 'm', protocol: 'TCP', protocol_port: 22 },
      ],
      pools: [
        {
          ...{ name: 'one', ...http, healthmonitor: monitor, session_persistence: { type: 'SOURCE_IP' } },
          members: [
            { address: '192.0.2.1', protocol_port: 80 },
            { address: '192.0.2.2', protocol_port: '80', weight: '2' },
          ],
        },
      ],
    })
    expect(status).toBe(201)
    const { loadbalancer } = body
    const all = { id: expect.stringMatching(UUID), created_at: expect.stringMatching(TIME), admin_state_up: true }
    const pending = { ...all, provisioning_status: 'PENDING_CREATE', operating_status: 'OFFLINE', tags: [] }
    const named = (rows: Body[], name: string) => rows.find((row) => row.name === name)
    const one = named(loadbalancer.pools, 'one')
    const two = named(loadbalancer.pools, 'two')
    expect(one).toMatchObject({ ...pending, healthmonitor: { ...pending, ...monitor, url_path: '/' } })
    expect(one.members).toHaveLength(2)
    expect(one.members).toContainEqual(expect.objectContaining({ address: '192.0.2.2', weight: 2, protocol_port: 80 }))
    const listener = named(loadbalancer.listeners, 'l')
    expect(listener).toMatchObject({ ...pending, protocol_port: 80, default_pool_id: one.id, connection_limit: -1 })
    expect(named(listener.l7policies, 'to-two')).toMatchObject({ ...pending, redirect_pool_id: two.id, position: 2 })
    expect(named(listener.l7policies, 'to-two').rules).toMatchObject([{ ...pending, ...rule, invert: false }])
    expect(named(listener.l7policies, 'away')).toMatchObject({ position: 1, redirect_http_code: 302, rules: [] })
    await world.becomesActive(`loadbalancers/${loadbalancer.id}`)
    const shown = (await world.client.get(`loadbalancers/${loadbalancer.id}`)).body.loadbalancer
    expect(shown.listeners).toHaveLength(2)
    expect(shown.pools).toHaveLength(2)
    expect(Object.keys(shown.listeners[0])).toEqual(['id'])
  })

  const inListener = (more: object) => ({ listeners: [{ protocol: 'HTTP', protocol_port: 80, ...more }] })
  const wrong: readonly (readonly [string, object, number])[] = [
    ['a pool without a name', { pools: [http] }, 400],
    ['two pools of one name', { pools: [1, 2].map(() => ({ name: 'a', ...http })) }, 400],
    ['a default pool that there is not', inListener({ default_pool: { name: 'none' } }), 400],
    ['a default pool that does not fit', inListener({ default_pool: { name: 'a', ...http, protocol: 'UDP' } }), 400],
    ['two listeners at one port', { listeners: [1, 2].map(() => ({ protocol: 'HTTP', protocol_port: 80 })) }, 409],
    ['a listener without a port', { listeners: [{ protocol: 'HTTP' }] }, 400],
    ['a listener of an unknown attribute', inListener({ colour: 'red' }), 400],
    ['a listener that names a balancer', inListener({ loadbalancer_id: NOBODY }), 400],
    ['a policy without an action', inListener({ l7policies: [{}] }), 400],
    [
      'a policy to a pool that there is not',
      inListener({ l7policies: [{ action: 'REDIRECT_TO_POOL', redirect_pool: { name: 'none' } }] }),
      400,
    ],
    [
      'a rule without a value',
      inListener({ l7policies: [{ action: 'REJECT', rules: [{ ...rule, value: null }] }] }),
      400,
    ],
    ['a member without an address', { pools: [{ name: 'a', ...http, members: [{ protocol_port: 80 }] }] }, 400],
    ['a monitor without a delay', { pools: [{ name: 'a', ...http, healthmonitor: { ...monitor, delay: null } }] }, 400],
    ['listeners that are an object', { listeners: {} }, 400],
    ['a listener that is null', { listeners: [null] }, 400],
    ['a pool that is a text', { pools: ['a'] }, 400],
  ]

  it.each(wrong)('with %s is refused, and nothing is kept', async (_, more, status) => {
    const name = `refused-${Math.random()}`
    const reply = await post({ name, ...more })
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject(FAULT)
    expect((await world.client.get(`loadbalancers?name=${name}`)).body.loadbalancers).toEqual([])
  })
})

describe('quotas on the Octavia API', () => {
  const keys = ['load_balancer', 'loadbalancer', 'listener', 'pool', 'member', 'health_monitor', 'healthmonitor']
  const all = [...keys, 'l7policy', 'l7rule']

  it('have each resource, the older names too', async () => {
    const project = await createProject(world.engine)
    for (const where of ['quotas/defaults', `quotas/${project}`, `quotas/${project}/default`]) {
      const { quota } = (await world.client.get(where)).body
      expect(quota).toMatchObject(Object.fromEntries(all.map((key) => [key, -1])))
    }
  })

  it('are listed where somebody has set them, page by page, and narrowed', async () => {
    const projects = [await createProject(world.engine), await createProject(world.engine)]
    for (const project of projects) await world.client.put(`quotas/${project}`, { quota: { l7rule: 5, l7policy: '6' } })
    const { body } = await world.client.get('quotas')
    for (const project of projects)
      expect(body.quotas).toContainEqual(
        expect.objectContaining({ project_id: project, tenant_id: project, l7rule: 5, l7policy: 6, pool: -1 }),
      )
    const first = (await world.client.get('quotas?limit=1')).body
    expect(first.quotas).toHaveLength(1)
    expect(first.quotas_links).toMatchObject([{ rel: 'next' }])
    const { href } = first.quotas_links[0]
    const next = (await world.client.get(new URL(href).pathname + new URL(href).search)).body
    expect(next.quotas[0].project_id).not.toBe(first.quotas[0].project_id)
    expect((await world.client.get(`quotas?project_id=${projects[1]}`)).body.quotas).toHaveLength(1)
    expect((await world.client.get('quotas?fields=pool&limit=1')).body.quotas).toEqual([{ pool: -1 }])
    await world.client.delete(`quotas/${projects[0]}`)
    expect((await world.client.get(`quotas?project_id=${projects[0]}`)).body.quotas).toEqual([])
  })

  it.each([
    [{ quota: { pool: -2 } }],
    [{ quota: { pool: 'many' } }],
    [{ quota: { pool: 1.5 } }],
    [{ quota: { pool: true } }],
    [{ quota: { pool: '' } }],
    [{ quota: { pool: 2_000_000_001 } }],
    [{ quota: { colour: 1 } }],
    [{ pool: 1 }],
    [{}],
  ])('are not changed by %j', async (body) => {
    const project = await createProject(world.engine)
    expect(await world.client.put(`quotas/${project}`, body)).toMatchObject({ status: 400, body: FAULT })
  })

  it('are as much as Octavia counts, and null is the default', async () => {
    const project = await createProject(world.engine)
    const put = async (quota: object) => (await world.client.put(`quotas/${project}`, { quota })).body.quota
    expect(await put({ pool: 2_000_000_000, loadbalancer: 0 })).toMatchObject({
      ...{ pool: 2_000_000_000, load_balancer: 0, loadbalancer: 0 },
    })
    expect(await put({ pool: null })).toMatchObject({ pool: -1, load_balancer: 0 })
    const more = { loadbalancer: { vip_subnet_id: world.subnet, project_id: project } }
    expect(await world.client.post('loadbalancers', more)).toMatchObject({ status: 403, body: FAULT })
  })

  it.each([
    ['listener', 'listeners', { protocol: 'TCP', protocol_port: 1 }],
    ['pool', 'pools', http],
  ])('of a %s are held', async (one, many, wanted) => {
    const project = await createProject(world.engine)
    await world.client.put(`quotas/${project}`, { quota: { [one]: 0 } })
    const { loadbalancer } = (await post({ project_id: project })).body
    const body = { [one]: { loadbalancer_id: loadbalancer.id, ...wanted } }
    expect(await world.client.post(many, body)).toMatchObject({ status: 403, body: FAULT })
  })
})
