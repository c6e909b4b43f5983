import type { Body } from '../support/http.js'
import { issueCertificate } from '../support/issued-certificate.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body
/** Of HTTP, of TCP and of metrics, which no test changes. */
let web: Body
let stream: Body
let metrics: Body
let nextPort = 1_000

beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer({ name: 'listened' })
  web = await listener({ protocol_port: 80 })
  stream = await listener({ protocol: 'TCP', protocol_port: 22 })
  metrics = await listener({ protocol: 'PROMETHEUS', protocol_port: 9_100 })
})
afterAll(() => world?.stop())

const wanted = (more: object) => ({
  listener: { loadbalancer_id: lb.id, protocol: 'HTTP', protocol_port: nextPort++, ...more },
})
const listener = (more: object): Promise<Body> => world.create('listeners', wanted(more))
const pool = (more: object): Promise<Body> =>
  world.create('pools', { pool: { loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more } })

describe('a listener on the Octavia API', () => {
  it.each(['HTTP', 'HTTPS', 'TCP', 'UDP', 'SCTP', 'PROMETHEUS'])('may be of protocol %s', async (protocol) => {
    expect(await listener({ protocol })).toMatchObject({ protocol, default_pool_id: null })
  })

  it('takes all that it may be told, and shows it', async () => {
    const said = {
      ...{ name: 'n'.repeat(255), description: 'd'.repeat(255), admin_state_up: false, connection_limit: 200 },
      ...{ timeout_client_data: 1, timeout_member_connect: 2, timeout_member_data: 3, timeout_tcp_inspect: 4 },
      ...{ allowed_cidrs: ['10.0.0.0/8', '0.0.0.0/0'], tags: ['a', 'b'] },
      insert_headers: { 'X-Forwarded-For': 'true', 'X-Forwarded-Port': 'false', 'X-Forwarded-Proto': 'true' },
    }
    const made = await listener(said)
    expect(made).toMatchObject(said)
    expect(await world.becomesActive(`listeners/${made.id}`)).toMatchObject(said)
  })

  it('takes null for whatever it need not be told', async () => {
    const nulls = Object.fromEntries(
      [
        ...['name', 'description', 'admin_state_up', 'connection_limit', 'default_pool_id', 'default_pool', 'tags'],
        ...['l7policies', 'insert_headers', 'timeout_client_data', 'timeout_member_connect', 'timeout_member_data'],
        ...['timeout_tcp_inspect', 'allowed_cidrs', 'default_tls_container_ref', 'sni_container_refs', 'tls_ciphers'],
        ...['client_authentication', 'client_ca_tls_container_ref', 'client_crl_container_ref', 'tls_versions'],
        ...['alpn_protocols', 'project_id', 'hsts_max_age', 'hsts_preload', 'hsts_include_subdomains'],
      ].map((name) => [name, null]),
    )
    expect(await listener(nulls)).toMatchObject({ connection_limit: -1, admin_state_up: true, name: '', tags: [] })
  })

  it.each([
    ['timeout_client_data', 2_147_483_647],
    ['timeout_member_connect', 2_147_483_647],
    ['timeout_member_data', 0],
    ['timeout_tcp_inspect', 2_147_483_647],
    ['connection_limit', -1],
    ['connection_limit', 2_147_483_647],
    ['protocol_port', 65_535],
  ])('has %s of as much as %d', async (name, value) => {
    expect((await listener({ [name]: value }))[name]).toBe(value)
  })

  it.each([
    ['insert_headers', { 'X-Forwarded-For': true }],
    ['insert_headers', { 'X-Forwarded-For': 'True' }],
  ])('takes %s %j as true', async (name, value) => {
    expect((await listener({ [name]: value }))[name]).toEqual({ 'X-Forwarded-For': 'true' })
  })

  const wrong: readonly (readonly [string, () => object, number])[] = [
    ['an unknown attribute', () => ({ colour: 'red' }), 400],
    ['a name of 256', () => ({ name: 'n'.repeat(256) }), 400],
    ['a description of 256', () => ({ description: 'd'.repeat(256) }), 400],
    ['a tag of 256', () => ({ tags: ['t'.repeat(256)] }), 400],
    ['a tag that is no text', () => ({ tags: [{}] }), 400],
    ['no protocol', () => ({ protocol: undefined }), 400],
    ['no port', () => ({ protocol_port: undefined }), 400],
    ['a protocol in lower case', () => ({ protocol: 'http' }), 400],
    ['port 0', () => ({ protocol_port: 0 }), 400],
    ['port 65536', () => ({ protocol_port: 65_536 }), 400],
    ['half a port', () => ({ protocol_port: 80.5 }), 400],
    ['a switch that is none', () => ({ admin_state_up: 'maybe' }), 400],
    ['a limit of -2', () => ({ connection_limit: -2 }), 400],
    ['a limit that is a word', () => ({ connection_limit: 'many' }), 400],
    ['a negative timeout', () => ({ timeout_client_data: -1 }), 400],
    ['a timeout of more than a year', () => ({ timeout_member_data: 31_536_000_001 }), 400],
    ['a header that is unknown', () => ({ insert_headers: { 'X-Colour': 'true' } }), 400],
    ['a header that is neither true nor false', () => ({ insert_headers: { 'X-Forwarded-For': 'maybe' } }), 400],
    ['headers that are a text', () => ({ insert_headers: 'X-Forwarded-For=true' }), 400],
    ['headers on TCP', () => ({ protocol: 'TCP', insert_headers: { 'X-Forwarded-For': 'true' } }), 400],
    ['headers on UDP', () => ({ protocol: 'UDP', insert_headers: { 'X-Forwarded-For': 'true' } }), 400],
    ['headers of certificates on HTTP', () => ({ insert_headers: { 'X-SSL-Client-Verify': 'true' } }), 400],
    ['CIDRs that are a text', () => ({ allowed_cidrs: '10.0.0.0/8' }), 400],
    ['a CIDR without its length', () => ({ allowed_cidrs: ['10.0.0.0/33'] }), 400],
    ['a CIDR of the other IP version', () => ({ allowed_cidrs: ['2001:db8::/32'] }), 400],
    ['a certificate on HTTP', () => ({ default_tls_container_ref: NOBODY }), 400],
    ['certificates of servers on TCP', () => ({ protocol: 'TCP', sni_container_refs: [NOBODY] }), 400],
    ['no certificate on TERMINATED_HTTPS', () => ({ protocol: 'TERMINATED_HTTPS' }), 400],
    [
      'an unknown certificate',
      () => ({
        protocol: 'TERMINATED_HTTPS',
        default_tls_container_ref: `https://keys.example/v1/containers/${NOBODY}`,
      }),
      400,
    ],
    ['a client authentication that is none', () => ({ client_authentication: 'PERHAPS' }), 400],
    ['client authentication without an authority', () => ({ client_authentication: 'MANDATORY' }), 400],
    ['a revocation list without an authority', () => ({ client_crl_container_ref: NOBODY }), 400],
    ['a TLS version that is none', () => ({ tls_versions: ['TLSv9'] }), 400],
    ['a protocol of ALPN that is none', () => ({ alpn_protocols: ['smoke'] }), 400],
    ['HSTS on HTTP', () => ({ hsts_max_age: 10 }), 400],
    ['a default pool that is none', () => ({ default_pool_id: NOBODY }), 404],
    ['a default pool that is no id', () => ({ default_pool_id: 'none' }), 400],
    ['a balancer that is no id', () => ({ loadbalancer_id: 'none' }), 400],
    ['a port that is taken', () => ({ protocol_port: 80 }), 409],
    ['a port that another protocol of TCP has', () => ({ protocol: 'TCP', protocol_port: 80 }), 409],
  ]

  it.each(wrong)('with %s is refused', async (_, more, status) => {
    const reply = await world.client.post('listeners', wanted(more()))
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject(FAULT)
  })

  it('takes a pool that fits it as its default, and none that does not', async () => {
    const { id } = await pool({})
    expect(await listener({ default_pool_id: id })).toMatchObject({ default_pool_id: id })
    for (const protocol of ['HTTPS', 'UDP', 'SCTP', 'PROMETHEUS'])
      expect((await world.client.post('listeners', wanted({ protocol, default_pool_id: id }))).status).toBe(400)
    expect((await world.client.put(`listeners/${stream.id}`, { listener: { default_pool_id: id } })).status).toBe(200)
    const unset = await world.client.put(`listeners/${stream.id}`, { listener: { default_pool_id: null } })
    expect(unset.body.listener.default_pool_id).toBeNull()
  })

  it('of metrics has no pool, no policy and no header', async () => {
    const under = { listener_id: metrics.id }
    expect((await world.client.post('l7policies', { l7policy: { ...under, action: 'REJECT' } })).status).toBe(400)
    const one = { ...under, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }
    expect((await world.client.post('pools', { pool: one })).status).toBe(400)
    const headers = { insert_headers: { 'X-Forwarded-For': 'true' } }
    expect((await world.client.put(`listeners/${metrics.id}`, { listener: headers })).status).toBe(400)
  })

  it('is changed in all that may be changed, and null puts back', async () => {
    const { id } = await listener({})
    const put = async (change: object) =>
      (await world.client.put(`listeners/${id}`, { listener: change })).body.listener
    const change = {
      ...{ name: 'b', description: 'c', admin_state_up: false, connection_limit: 7, tags: ['t'] },
      ...{ timeout_client_data: 1, timeout_member_connect: 2, timeout_member_data: 3, timeout_tcp_inspect: 4 },
      ...{ allowed_cidrs: ['10.0.0.0/8'], insert_headers: { 'X-Forwarded-Port': 'true' } },
    }
    expect(await put(change)).toMatchObject(change)
    expect(await put(Object.fromEntries(Object.keys(change).map((name) => [name, null])))).toMatchObject({
      ...{ name: '', description: '', admin_state_up: true, connection_limit: -1, tags: [], allowed_cidrs: null },
      ...{ timeout_client_data: 50_000, timeout_member_connect: 5_000, timeout_member_data: 50_000 },
      ...{ timeout_tcp_inspect: 0, insert_headers: {} },
    })
    expect(await put({})).toMatchObject({ id })
  })

  it.each([
    ...[
      { protocol: 'TCP' },
      { protocol_port: 81 },
      { loadbalancer_id: NOBODY },
      { id: NOBODY },
      { project_id: NOBODY },
    ],
    ...[{ provisioning_status: 'ERROR' }, { l7policies: [] }, { default_pool: { name: 'a' } }, { colour: 'red' }],
  ])('is not changed by %j', async (change) => {
    expect(await world.client.put(`listeners/${web.id}`, { listener: change })).toMatchObject({
      status: 400,
      body: FAULT,
    })
  })

  it('of TLS refers to certificates by id or by an address, and shows what makes TLS', async () => {
    const { certPem: chainPem, privateKeyPem } = await issueCertificate({ names: ['a.example'] })
    const { body } = await world.engine.http.post('/api/v1/certificates', { name: 'a', chainPem, privateKeyPem })
    const tls = {
      protocol: 'TERMINATED_HTTPS',
      default_tls_container_ref: `https://keys.example/v1/secrets/${body.id}`,
    }
    const made = await listener({ ...tls, sni_container_refs: [body.id] })
    expect(made).toMatchObject({
      ...{ default_tls_container_ref: body.id, sni_container_refs: [body.id] },
    })
    const put = await world.client.put(`listeners/${made.id}`, { listener: { sni_container_refs: null } })
    expect(put.body.listener.sni_container_refs).toEqual([])
    const none = { listener: { default_tls_container_ref: null } }
    expect((await world.client.put(`listeners/${made.id}`, none)).status).toBe(400)
  })

  it('is removed once, and its port is free', async () => {
    const { id } = await listener({ protocol_port: 4_242 })
    expect(await world.client.delete(`listeners/${id}`)).toMatchObject({ status: 204, body: undefined })
    await listener({ protocol_port: 4_242 })
  })
})
