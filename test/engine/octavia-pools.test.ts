import type { Body } from '../support/http.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body
/** Of HTTP and of UDP, with no members but those of a test. */
let web: Body
let datagrams: Body

beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer({ name: 'pooled' })
  web = await pool({ name: 'web' })
  datagrams = await pool({ protocol: 'UDP' })
})
afterAll(() => world?.stop())

const wanted = (more: object) => ({
  pool: { loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more },
})
const pool = (more: object): Promise<Body> => world.create('pools', wanted(more))
const listener = (more: object): Promise<Body> =>
  world.create('listeners', { listener: { loadbalancer_id: lb.id, protocol: 'HTTP', ...more } })

const persistence = (type: string, cookie_name: string | null = null) => ({
  ...{ type, cookie_name, persistence_timeout: null, persistence_granularity: null },
})

describe('a pool on the Octavia API', () => {
  it.each(['HTTP', 'HTTPS', 'TCP', 'UDP', 'SCTP', 'PROXY', 'PROXYV2'])('may be of protocol %s', async (protocol) => {
    expect(await pool({ protocol })).toMatchObject({ protocol, listeners: [], members: [], healthmonitor_id: null })
  })

  it.each(['ROUND_ROBIN', 'LEAST_CONNECTIONS', 'SOURCE_IP', 'SOURCE_IP_PORT'])('may be balanced by %s', async (how) => {
    expect((await pool({ lb_algorithm: how })).lb_algorithm).toBe(how)
  })

  it.each([
    [{ type: 'SOURCE_IP' }, persistence('SOURCE_IP')],
    [{ type: 'HTTP_COOKIE', cookie_name: null }, persistence('HTTP_COOKIE')],
    [{ type: 'APP_COOKIE', cookie_name: 'sid' }, persistence('APP_COOKIE', 'sid')],
    [persistence('SOURCE_IP'), persistence('SOURCE_IP')],
  ])('may keep sessions by %j', async (session_persistence, shown) => {
    expect((await pool({ session_persistence })).session_persistence).toEqual(shown)
  })

  it('takes null for whatever it need not be told', async () => {
    const nulls = Object.fromEntries(
      [
        ...['name', 'description', 'admin_state_up', 'listener_id', 'session_persistence', 'healthmonitor', 'members'],
        ...['tags', 'tls_container_ref', 'ca_tls_container_ref', 'crl_container_ref', 'tls_enabled', 'tls_ciphers'],
        ...['tls_versions', 'alpn_protocols', 'project_id'],
      ].map((name) => [name, null]),
    )
    expect(await pool(nulls)).toMatchObject({ name: '', admin_state_up: true, tls_enabled: false, tags: [] })
  })

  it('is led to by the listener that it is made for, whether or not its balancer is named', async () => {
    for (const [protocol_port, more] of [
      [1, {}],
      [2, { loadbalancer_id: undefined }],
    ] as const) {
      const { id } = await listener({ protocol_port })
      const made = await pool({ listener_id: id, ...more })
      expect(made).toMatchObject({ listeners: [{ id }], loadbalancers: [{ id: lb.id }] })
      expect((await world.client.get(`listeners/${id}`)).body.listener.default_pool_id).toBe(made.id)
      expect((await world.client.get(`pools?listener_id=${id}`)).body.pools).toMatchObject([{ id: made.id }])
      expect((await world.client.get(`listeners?default_pool_id=${made.id}`)).body.listeners).toMatchObject([{ id }])
    }
  })

  it('is made with its members and its monitor', async () => {
    const members = [{ address: '192.0.2.1', protocol_port: 80 }]
    const made = await pool({ members, healthmonitor: { type: 'TCP', delay: 1, timeout: 1, max_retries: 1 } })
    expect(made.members).toHaveLength(1)
    expect((await world.client.get(`healthmonitors/${made.healthmonitor_id}`)).body.healthmonitor.type).toBe('TCP')
    expect((await world.client.get(`healthmonitors?pool_id=${made.id}`)).body.healthmonitors).toHaveLength(1)
    const { pools } = (await world.client.get(`pools?healthmonitor_id=${made.healthmonitor_id}`)).body
    expect(pools).toMatchObject([{ id: made.id }])
  })

  const wrong: readonly (readonly [string, () => object, number])[] = [
    ['an unknown attribute', () => ({ colour: 'red' }), 400],
    ['a name of 256', () => ({ name: 'n'.repeat(256) }), 400],
    ['a description of 256', () => ({ description: 'd'.repeat(256) }), 400],
    ['no protocol', () => ({ protocol: undefined }), 400],
    ['no algorithm', () => ({ lb_algorithm: undefined }), 400],
    ['the protocol of a listener', () => ({ protocol: 'TERMINATED_HTTPS' }), 400],
    ['a balancer that there is not', () => ({ loadbalancer_id: NOBODY }), 404],
    ['a balancer that is no id', () => ({ loadbalancer_id: 'none' }), 400],
    ['a persistence without a type', () => ({ session_persistence: { cookie_name: 'a' } }), 400],
    ['a persistence of an unknown attribute', () => ({ session_persistence: { type: 'SOURCE_IP', a: 1 } }), 400],
    ['a persistence that is a text', () => ({ session_persistence: 'SOURCE_IP' }), 400],
    ['APP_COOKIE without a name', () => ({ session_persistence: { type: 'APP_COOKIE' } }), 400],
    ['a cookie with a space', () => ({ session_persistence: { type: 'APP_COOKIE', cookie_name: 'a b' } }), 400],
    ['HTTP_COOKIE with a name', () => ({ session_persistence: { type: 'HTTP_COOKIE', cookie_name: 'a' } }), 400],
    ['cookies on UDP', () => ({ protocol: 'UDP', session_persistence: { type: 'HTTP_COOKIE' } }), 400],
    [
      'a timeout of sessions on HTTP',
      () => ({ session_persistence: { type: 'SOURCE_IP', persistence_timeout: 10 } }),
      400,
    ],
    [
      'a granularity of sessions on TCP',
      () => ({ protocol: 'TCP', session_persistence: { type: 'SOURCE_IP', persistence_granularity: '255.255.0.0' } }),
      400,
    ],
    ['a revocation list without an authority', () => ({ tls_enabled: true, crl_container_ref: NOBODY }), 400],
    ['a TLS version that is none', () => ({ tls_enabled: true, tls_versions: ['TLSv9'] }), 400],
  ]

  it.each(wrong)('with %s is refused', async (_, more, status) => {
    const reply = await world.client.post('pools', wanted(more()))
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject(FAULT)
  })

  it('that does not fit its listener is refused', async () => {
    const { id } = await listener({ protocol_port: 3 })
    for (const protocol of ['TCP', 'HTTPS', 'UDP'])
      expect(await world.client.post('pools', wanted({ protocol, listener_id: id }))).toMatchObject({ status: 400 })
  })

  it.each([
    { tls_enabled: true },
    { protocol: 'UDP', session_persistence: { type: 'SOURCE_IP', persistence_timeout: 10 } },
  ])('that asks by %j for what no provider has is refused with 501', async (more) => {
    expect((await world.client.post('pools', wanted(more))).status).toBe(501)
  })

  it('is changed in all that may be changed, and null puts back', async () => {
    const { id } = await pool({})
    const put = async (change: object) => (await world.client.put(`pools/${id}`, { pool: change })).body.pool
    const change = { name: 'b', description: 'c', admin_state_up: false, lb_algorithm: 'SOURCE_IP', tags: ['t'] }
    expect(await put(change)).toMatchObject(change)
    expect((await put({ session_persistence: { type: 'HTTP_COOKIE' } })).session_persistence).toEqual(
      persistence('HTTP_COOKIE'),
    )
    const { lb_algorithm, ...rest } = change
    const nulls = Object.fromEntries([...Object.keys(rest), 'session_persistence'].map((name) => [name, null]))
    expect(await put(nulls)).toMatchObject({
      ...{ name: '', description: '', admin_state_up: true, tags: [], session_persistence: null, lb_algorithm },
    })
  })

  it.each([
    ...[{ protocol: 'TCP' }, { loadbalancer_id: NOBODY }, { listener_id: NOBODY }, { lb_algorithm: 'LUCK' }],
    ...[{ lb_algorithm: null }, { id: NOBODY }, { session_persistence: { type: 'LUCK' } }, { members: [] }],
    ...[{ project_id: NOBODY }, { healthmonitor: {} }, { colour: 'red' }],
    { session_persistence: { persistence_timeout: 10 } },
  ])('is not changed by %j', async (change) => {
    expect(await world.client.put(`pools/${web.id}`, { pool: change })).toMatchObject({ status: 400, body: FAULT })
  })

  it('goes with its members and its monitor, once', async () => {
    const members = [{ address: '192.0.2.1', protocol_port: 80 }]
    const made = await pool({ members, healthmonitor: { type: 'TCP', delay: 1, timeout: 1, max_retries: 1 } })
    expect((await world.client.delete(`pools/${made.id}`)).status).toBe(204)
    await world.becomesActive(`loadbalancers/${lb.id}`)
    for (const where of [`pools/${made.id}`, `pools/${made.id}/members`, `healthmonitors/${made.healthmonitor_id}`])
      expect(await world.client.get(where)).toMatchObject({ status: 404, body: FAULT })
    expect((await world.client.delete(`pools/${made.id}`)).status).toBe(404)
  })

  it('that a policy leads to stays, and is refused with 409', async () => {
    const { id: listener_id } = await listener({ protocol_port: 4 })
    const { id: redirect_pool_id } = await pool({})
    const l7policy = { listener_id, action: 'REDIRECT_TO_POOL', redirect_pool_id }
    await world.create('l7policies', { l7policy })
    expect(await world.client.delete(`pools/${redirect_pool_id}`)).toMatchObject({ status: 409, body: FAULT })
    const { l7policies } = (await world.client.get(`l7policies?redirect_pool_id=${redirect_pool_id}`)).body
    expect(l7policies).toMatchObject([{ listener_id }])
  })
})

describe('a member on the Octavia API', () => {
  const where = () => `pools/${web.id}/members`
  const at = (port: number, more: object = {}) => ({ address: '192.0.2.7', protocol_port: port, ...more })
  const member = (port: number, more: object = {}): Promise<Body> => world.create(where(), { member: at(port, more) })

  it('takes all that it may be told, and shows it', async () => {
    const said = {
      ...{ name: 'm', weight: 256, backup: true, monitor_address: '192.0.2.8', monitor_port: 9_000 },
      ...{ subnet_id: world.subnet, admin_state_up: false, tags: ['a'] },
    }
    expect(await member(1, said)).toMatchObject(said)
  })

  it('takes numbers and booleans as texts', async () => {
    const said = { weight: '3', backup: 'true', monitor_port: '81', admin_state_up: 'False' }
    expect(await world.create(where(), { member: at(2, { ...said, protocol_port: '2' }) })).toMatchObject({
      ...{ protocol_port: 2, weight: 3, backup: true, monitor_port: 81, admin_state_up: false },
    })
  })

  it('takes null for whatever it need not be told', async () => {
    const names = ['name', 'weight', 'backup', 'subnet_id', 'monitor_address', 'monitor_port', 'tags', 'admin_state_up']
    const nulls = Object.fromEntries([...names, 'project_id'].map((name) => [name, null]))
    expect(await member(3, nulls)).toMatchObject({ weight: 1, backup: false, name: '', subnet_id: null })
  })

  it('may have an address of IPv6', async () => {
    const reply = await world.client.post(where(), { member: { address: '2001:db8::1', protocol_port: 1 } })
    expect(reply.body.member.address).toBe('2001:db8::1')
  })

  it('may be of weight 0', async () => {
    expect((await member(4, { weight: 0 })).weight).toBe(0)
  })

  const wrong: readonly (readonly [string, object, number])[] = [
    ['no address', { address: undefined }, 400],
    ['no port', { protocol_port: undefined }, 400],
    ['a name for an address', { address: 'a.example' }, 400],
    ['the address of cloud metadata', { address: '169.254.169.254' }, 400],
    ['port 65536', { protocol_port: 65_536 }, 400],
    ['a weight of 257', { weight: 257 }, 400],
    ['a weight of -1', { weight: -1 }, 400],
    ['a monitor port of 0', { monitor_port: 0 }, 400],
    ['a monitor address that is none', { monitor_address: 'a.example' }, 400],
    ['a backup that is none', { backup: 'maybe' }, 400],
    ['a name of 256', { name: 'n'.repeat(256) }, 400],
    ['a subnet that is no id', { subnet_id: 'none' }, 400],
    ['an unknown attribute', { colour: 'red' }, 400],
    ['a description, which it has none of,', { description: 'a' }, 400],
  ]

  it.each(wrong)('with %s is refused', async (_, more, status) => {
    expect(await world.client.post(where(), { member: at(5, more) })).toMatchObject({ status, body: FAULT })
  })

  it.each([
    ...[{ address: '192.0.2.9' }, { protocol_port: 9 }, { subnet_id: NOBODY }, { pool_id: NOBODY }, { weight: 257 }],
    ...[{ project_id: NOBODY }, { colour: 'red' }],
  ])('is not changed by %j', async (change) => {
    const [first] = (await world.client.get(where())).body.members
    expect(await world.client.put(`${where()}/${first.id}`, { member: change })).toMatchObject({
      status: 400,
      body: FAULT,
    })
  })

  it('is changed in all that may be changed, and null puts back', async () => {
    const { id } = await member(6)
    const put = async (change: object) => (await world.client.put(`${where()}/${id}`, { member: change })).body.member
    const change = { name: 'b', weight: 0, backup: true, monitor_address: '192.0.2.8', monitor_port: 81, tags: ['t'] }
    expect(await put(change)).toMatchObject(change)
    expect(await put(Object.fromEntries(Object.keys(change).map((name) => [name, null])))).toMatchObject({
      ...{ name: '', weight: 1, backup: false, monitor_address: null, monitor_port: null, tags: [] },
    })
  })

  it.each([
    ['address=192.0.2.7&protocol_port=2', 1],
    ['protocol_port=2&protocol_port=3', 2],
    ['weight=256', 1],
    ['backup=true&weight=3', 1],
    ['monitor_port=81', 1],
    ['name=m', 1],
    ['limit=2', 2],
    ['tags=a', 1],
  ])('is listed by %s', async (query, count) => {
    expect((await world.client.get(`${where()}?${query}`)).body.members).toHaveLength(count)
  })

  it('is none of another pool, nor of a pool that there is not', async () => {
    const { id } = await member(7)
    for (const other of [datagrams.id, NOBODY, 'none'])
      for (const call of [
        () => world.client.get(`pools/${other}/members/${id}`),
        () => world.client.put(`pools/${other}/members/${id}`, { member: { name: 'a' } }),
        () => world.client.delete(`pools/${other}/members/${id}`),
      ])
        expect(await call()).toMatchObject({ status: 404, body: FAULT })
    expect((await world.client.delete(`${where()}/${id}`)).status).toBe(204)
  })
})

describe('members at once on the Octavia API', () => {
  let where: string
  const put = (members: unknown, query = '') => world.client.put(`${where}${query}`, { members })
  const at = (address: string, more: object = {}) => ({ address, protocol_port: 80, ...more })
  const shown = async () => {
    await world.becomesActive(`loadbalancers/${lb.id}`)
    return (await world.client.get(`${where}?sort=address`)).body.members
  }

  beforeEach(async () => {
    where = `pools/${(await pool({})).id}/members`
  })

  it('are made, kept with what is not said of them, changed and removed', async () => {
    expect(await put([at('192.0.2.1', { name: 'a', weight: 5 }), at('192.0.2.2')])).toMatchObject({
      status: 202,
      body: undefined,
    })
    const [a] = await shown()
    await put([at('192.0.2.1', { weight: '7' }), at('192.0.2.3', { tags: ['t'], backup: 'True' })])
    const after = await shown()
    expect(after).toMatchObject([
      { id: a.id, name: 'a', weight: 7 },
      { address: '192.0.2.3', tags: ['t'], backup: true },
    ])
    expect((await put([])).status).toBe(202)
    expect(await shown()).toEqual([])
  })

  it.each(['?additive_only=True', '?additive_only=true', '?additive_only=1'])('none leaves with %s', async (query) => {
    await put([at('192.0.2.1'), at('192.0.2.2')])
    expect((await put([at('192.0.2.2', { weight: 9 }), at('192.0.2.3')], query)).status).toBe(202)
    expect(await shown()).toMatchObject([{ weight: 1 }, { weight: 9 }, { address: '192.0.2.3' }])
    await put([at('192.0.2.1')], '?additive_only=False')
    expect(await shown()).toHaveLength(1)
  })

  it.each([
    ['an address that is none', () => [at('none')]],
    ['the address of cloud metadata', () => [at('169.254.169.254')]],
    ['an unknown attribute', () => [at('192.0.2.1', { colour: 'red' })]],
    ['no port', () => [{ address: '192.0.2.1' }]],
    ['a weight of 257', () => [at('192.0.2.1', { weight: 257 })]],
    ['one that is no object', () => ['192.0.2.1']],
    ['null', () => [null]],
    ['no list', () => at('192.0.2.1')],
  ])('with %s are refused, and nothing is done', async (_, members) => {
    await put([at('192.0.2.5')])
    expect(await put(members())).toMatchObject({ status: 400, body: FAULT })
    expect(await shown()).toMatchObject([{ address: '192.0.2.5' }])
  })

  it('are not replaced where it is not clear whether they are only to be added', async () => {
    await put([at('192.0.2.1')])
    expect(await put([], '?additive_only=maybe')).toMatchObject({ status: 400, body: FAULT })
    expect(await shown()).toHaveLength(1)
  })

  it('of a pool that there is not are 404', async () => {
    where = `pools/${NOBODY}/members`
    expect(await put([])).toMatchObject({ status: 404, body: FAULT })
  })
})
