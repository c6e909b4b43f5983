import type { Body } from '../support/http.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body
let web: Body
let stream: Body
let pools: Readonly<Record<string, Body>>

beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer({ name: 'asked' })
  web = await listener({ protocol_port: 80 })
  stream = await listener({ protocol: 'TCP', protocol_port: 22 })
  pools = { HTTP: await pool({}), TCP: await pool({ protocol: 'TCP' }), UDP: await pool({ protocol: 'UDP' }) }
})
afterAll(() => world?.stop())

const listener = (more: object): Promise<Body> =>
  world.create('listeners', { listener: { loadbalancer_id: lb.id, protocol: 'HTTP', ...more } })
const pool = (more: object): Promise<Body> =>
  world.create('pools', { pool: { loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN', ...more } })

type Wrong = readonly (readonly [string, () => object, number])[]

describe('a health monitor on the Octavia API', () => {
  const wanted = (more: Body) => ({
    healthmonitor: { type: 'HTTP', delay: 5, timeout: 3, max_retries: 2, ...more },
  })
  const monitor = async (protocol: string, more: Body): Promise<Body> => {
    const { id } = await pool({ protocol })
    return world.create('healthmonitors', wanted({ pool_id: id, ...more }))
  }
  const noHttp = { http_method: null, url_path: null, expected_codes: null, http_version: null, domain_name: null }
  const defaults = { ...noHttp, http_method: 'GET', url_path: '/', expected_codes: '200' }

  it.each([
    ['HTTP', 'HTTP', defaults],
    ['HTTP', 'HTTPS', defaults],
    ['TCP', 'TCP', noHttp],
    ['TCP', 'PING', noHttp],
    ['HTTPS', 'TLS-HELLO', noHttp],
    ['UDP', 'UDP-CONNECT', noHttp],
    ['UDP', 'TCP', noHttp],
    ['UDP', 'HTTP', defaults],
    ['SCTP', 'SCTP', noHttp],
  ])('of a pool of %s may be of type %s', async (protocol, type, shown) => {
    expect(await monitor(protocol, { type })).toMatchObject({ type, max_retries_down: 3, ...shown })
  })

  it('takes all that it may be told, and shows it', async () => {
    const said = {
      ...{ name: 'n', delay: 10, timeout: 9, max_retries: 10, max_retries_down: 1, http_method: 'HEAD', tags: ['t'] },
      ...{ url_path: '/a/b?c=d', expected_codes: '200-204', http_version: 1.1, domain_name: 'a.example' },
    }
    expect(await monitor('HTTP', { ...said, admin_state_up: false })).toMatchObject({ ...said, admin_state_up: false })
  })

  it('takes numbers as texts', async () => {
    const said = { delay: '10', timeout: '5', max_retries: '3', max_retries_down: '2', http_version: '1.0' }
    expect(await monitor('HTTP', said)).toMatchObject({
      ...{ delay: 10, timeout: 5, max_retries: 3, max_retries_down: 2, http_version: 1 },
    })
  })

  it.each(['200', '200,202', '200, 202', '200-299'])('expects %s', async (expected_codes) => {
    expect((await monitor('HTTP', { expected_codes })).expected_codes).toBe(expected_codes)
  })

  it.each(['GET', 'HEAD', 'POST', 'PUT', 'DELETE', 'TRACE', 'OPTIONS', 'CONNECT', 'PATCH'])(
    'asks with %s',
    async (http_method) => {
      expect((await monitor('HTTP', { http_method })).http_method).toBe(http_method)
    },
  )

  const wrong: readonly (readonly [string, string, object, number])[] = [
    ['an unknown attribute', 'HTTP', { colour: 'red' }, 400],
    ['a description, which it has none of,', 'HTTP', { description: 'a' }, 400],
    ['no type', 'HTTP', { type: undefined }, 400],
    ['no delay', 'HTTP', { delay: undefined }, 400],
    ['no timeout', 'HTTP', { timeout: undefined }, 400],
    ['no retries', 'HTTP', { max_retries: undefined }, 400],
    ['a type that is none', 'HTTP', { type: 'SMTP' }, 400],
    ['a delay that is a word', 'HTTP', { delay: 'long' }, 400],
    ['a negative delay', 'HTTP', { delay: -1 }, 400],
    ['a negative timeout', 'HTTP', { timeout: -1 }, 400],
    ['0 retries', 'HTTP', { max_retries: 0 }, 400],
    ['11 retries', 'HTTP', { max_retries: 11 }, 400],
    ['0 retries down', 'HTTP', { max_retries_down: 0 }, 400],
    ['11 retries down', 'HTTP', { max_retries_down: 11 }, 400],
    ['a method that is none', 'HTTP', { http_method: 'LOOK' }, 400],
    ['a path that does not begin with a slash', 'HTTP', { url_path: 'health' }, 400],
    ['a path with a space', 'HTTP', { url_path: '/a b' }, 400],
    ['a URL for a path', 'HTTP', { url_path: 'https://a.example/' }, 400],
    ['codes that are a word', 'HTTP', { expected_codes: 'ok' }, 400],
    ['codes that are both', 'HTTP', { expected_codes: '200,201-204' }, 400],
    ['an HTTP that there is not', 'HTTP', { http_version: 2 }, 400],
    ['a host without HTTP 1.1', 'HTTP', { domain_name: 'a.example' }, 400],
    ['a host in HTTP 1.0', 'HTTP', { http_version: 1, domain_name: 'a.example' }, 400],
    ['a host that is none', 'HTTP', { http_version: 1.1, domain_name: 'a_b!' }, 400],
    ['a path on TCP', 'TCP', { type: 'TCP', url_path: '/' }, 400],
    ['a method on PING', 'TCP', { type: 'PING', http_method: 'GET' }, 400],
    ['codes on TLS-HELLO', 'TCP', { type: 'TLS-HELLO', expected_codes: '200' }, 400],
    ['UDP-CONNECT on HTTP', 'HTTP', { type: 'UDP-CONNECT' }, 400],
    ['UDP-CONNECT on TCP', 'TCP', { type: 'UDP-CONNECT' }, 400],
    ['PING on UDP', 'UDP', { type: 'PING' }, 400],
    ['HTTPS on UDP', 'UDP', { type: 'HTTPS' }, 400],
    ['a pool that is no id', 'HTTP', { pool_id: 'none' }, 400],
    ['a name of 256', 'HTTP', { name: 'n'.repeat(256) }, 400],
  ]

  it.each(wrong)('with %s is refused', async (_, protocol, more, status) => {
    const reply = await world.client.post('healthmonitors', wanted({ pool_id: pools[protocol].id, ...more }))
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject(FAULT)
  })

  it('is changed in all that may be changed, and null puts back', async () => {
    const { id } = await monitor('HTTP', {})
    const put = async (change: object) =>
      (await world.client.put(`healthmonitors/${id}`, { healthmonitor: change })).body.healthmonitor
    const change = {
      ...{ name: 'b', delay: 9, timeout: 8, max_retries: 7, max_retries_down: 6, http_method: 'HEAD', tags: ['t'] },
      ...{ url_path: '/b', expected_codes: '201', http_version: 1.1, domain_name: 'b.example', admin_state_up: false },
    }
    expect(await put(change)).toMatchObject(change)
    const { delay, timeout, max_retries, ...rest } = change
    expect(await put(Object.fromEntries(Object.keys(rest).map((name) => [name, null])))).toMatchObject({
      ...{ ...defaults, name: '', delay, timeout, max_retries, max_retries_down: 3, tags: [], admin_state_up: true },
    })
  })

  it('is not changed by what it cannot be', async () => {
    const { id } = await monitor('TCP', { type: 'TCP' })
    for (const change of [
      ...[{ delay: null }, { timeout: null }, { max_retries: null }, { type: 'PING' }, { pool_id: NOBODY }],
      ...[{ url_path: '/' }, { http_method: 'GET' }, { expected_codes: '200' }, { max_retries: 11 }, { colour: 'red' }],
    ])
      expect(await world.client.put(`healthmonitors/${id}`, { healthmonitor: change })).toMatchObject({
        status: 400,
        body: FAULT,
      })
  })
})

describe('an L7 policy on the Octavia API', () => {
  const wanted = (more: object) => ({ l7policy: { listener_id: web.id, action: 'REJECT', ...more } })
  const policy = (more: object): Promise<Body> => world.create('l7policies', wanted(more))
  const nowhere = { redirect_pool_id: null, redirect_url: null, redirect_prefix: null, redirect_http_code: null }

  it.each([
    ['REJECT', () => ({}), () => ({})],
    ['REDIRECT_TO_POOL', () => ({ redirect_pool_id: pools.HTTP?.id }), () => ({ redirect_pool_id: pools.HTTP?.id })],
    [
      'REDIRECT_TO_URL',
      () => ({ redirect_url: 'http://a.example/b?c=d' }),
      () => ({ redirect_url: 'http://a.example/b?c=d', redirect_http_code: 302 }),
    ],
    [
      'REDIRECT_PREFIX',
      () => ({ redirect_prefix: 'https://a.example', redirect_http_code: '308' }),
      () => ({ redirect_prefix: 'https://a.example', redirect_http_code: 308 }),
    ],
  ])('of %s leads where it is told, and shows nothing else', async (action, more, shown) => {
    expect(await policy({ action, ...more() })).toMatchObject({ action, ...nowhere, ...shown() })
  })

  it('of a pool that is made with it leads there', async () => {
    const redirect_pool = { name: 'p', protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' }
    const made = await policy({ action: 'REDIRECT_TO_POOL', redirect_pool })
    expect((await world.client.get(`pools/${made.redirect_pool_id}`)).body.pool.name).toBe('p')
  })

  it('is made with its rules', async () => {
    const rules = [{ type: 'PATH', compare_type: 'EQUAL_TO', value: '/a', invert: 'true' }]
    const made = await policy({ rules })
    expect(made.rules).toHaveLength(1)
    expect((await world.client.get(`l7policies/${made.id}/rules`)).body.rules).toMatchObject([
      { value: '/a', invert: true },
    ])
  })

  const wrong: Wrong = [
    ['an unknown attribute', () => ({ colour: 'red' }), 400],
    ['a name of 256', () => ({ name: 'n'.repeat(256) }), 400],
    ['a description of 256', () => ({ description: 'd'.repeat(256) }), 400],
    ['no action', () => ({ action: undefined }), 400],
    ['no listener', () => ({ listener_id: undefined }), 400],
    ['a listener that is no id', () => ({ listener_id: 'none' }), 400],
    ['a listener that does not see requests', () => ({ listener_id: stream.id }), 400],
    ['position 0', () => ({ position: 0 }), 400],
    ['a position that is a word', () => ({ position: 'first' }), 400],
    ['a position beyond what is counted', () => ({ position: 2_147_483_648 }), 400],
    ['a URL that is none', () => ({ action: 'REDIRECT_TO_URL', redirect_url: 'nowhere' }), 400],
    ['no URL', () => ({ action: 'REDIRECT_TO_URL' }), 400],
    ['no prefix', () => ({ action: 'REDIRECT_PREFIX' }), 400],
    ['a prefix that is none', () => ({ action: 'REDIRECT_PREFIX', redirect_prefix: 'nowhere' }), 400],
    ['no pool', () => ({ action: 'REDIRECT_TO_POOL' }), 400],
    ['a pool that is no id', () => ({ action: 'REDIRECT_TO_POOL', redirect_pool_id: 'none' }), 400],
    ['a pool that there is not', () => ({ action: 'REDIRECT_TO_POOL', redirect_pool_id: NOBODY }), 404],
    ['a pool that does not fit', () => ({ action: 'REDIRECT_TO_POOL', redirect_pool_id: pools.UDP?.id }), 400],
    [
      'a code that is none',
      () => ({ action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example', redirect_http_code: 304 }),
      400,
    ],
    ['a rule that is wrong', () => ({ rules: [{ type: 'PATH', compare_type: 'EQUAL_TO' }] }), 400],
  ]

  it.each(wrong)('with %s is refused', async (_, more, status) => {
    const reply = await world.client.post('l7policies', wanted(more()))
    expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(new RegExp(`^${status} `))
    expect(reply.body).toMatchObject(FAULT)
  })

  it('is changed to another action, and forgets where it led', async () => {
    const { id } = await policy({ action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example' })
    const put = (change: object) => world.client.put(`l7policies/${id}`, { l7policy: change })
    const to = { action: 'REDIRECT_TO_POOL', redirect_pool_id: pools.HTTP?.id }
    expect((await put(to)).body.l7policy).toMatchObject({ ...nowhere, ...to })
    expect((await put({ action: 'REJECT' })).body.l7policy).toMatchObject(nowhere)
    expect((await put({ action: 'REDIRECT_TO_URL' })).status).toBe(400)
    for (const change of [{ listener_id: NOBODY }, { action: null }, { rules: [] }, { position: 0 }, { id: NOBODY }])
      expect(await put(change)).toMatchObject({ status: 400, body: FAULT })
  })

  it('goes to where it is told, by what leads there alone', async () => {
    const { id } = await policy({ action: 'REDIRECT_TO_URL', redirect_url: 'http://a.example' })
    const put = (change: object) => world.client.put(`l7policies/${id}`, { l7policy: change })
    expect((await put({ redirect_url: 'http://b.example' })).body.l7policy.redirect_url).toBe('http://b.example')
    expect((await put({ redirect_http_code: 301 })).body.l7policy.redirect_http_code).toBe(301)
    expect((await put({ name: null, description: 'd', admin_state_up: 'false' })).body.l7policy).toMatchObject({
      ...{ name: '', description: 'd', admin_state_up: false },
    })
  })

  it('moves the others as it comes, moves and goes', async () => {
    const { id: listener_id } = await listener({ protocol_port: 81 })
    const ids: Record<string, string> = {}
    const order = async () =>
      (await world.client.get(`l7policies?listener_id=${listener_id}&sort=position:asc`)).body.l7policies.map(
        ({ name, position }: Body) => `${name}${position}`,
      )
    for (const [name, position] of [
      ['a', null],
      ['b', 1],
      ['c', 2],
      ['d', 9],
    ] as const)
      ids[name] = (await policy({ listener_id, name, position })).id
    expect(await order()).toEqual(['b1', 'c2', 'a3', 'd4'])
    await world.client.put(`l7policies/${ids.d}`, { l7policy: { position: 2 } })
    expect(await order()).toEqual(['b1', 'd2', 'c3', 'a4'])
    await world.client.delete(`l7policies/${ids.b}`)
    await world.becomesActive(`loadbalancers/${lb.id}`)
    expect(await order()).toEqual(['d1', 'c2', 'a3'])
  })

  describe('has rules, and one', () => {
    let where: string
    beforeAll(async () => {
      where = `l7policies/${(await policy({ name: 'ruled' })).id}/rules`
    })
    const rule = (type: string, compare_type: string, value: string, key?: string) => ({
      ...{ type, compare_type, value },
      ...(key === undefined ? {} : { key }),
    })

    it.each([
      rule('HOST_NAME', 'EQUAL_TO', 'a.example'),
      rule('HOST_NAME', 'REGEX', '^.*\\.example$'),
      rule('PATH', 'STARTS_WITH', '/images'),
      rule('PATH', 'ENDS_WITH', '.png'),
      rule('FILE_TYPE', 'EQUAL_TO', 'jpg'),
      rule('FILE_TYPE', 'REGEX', 'jpg|png'),
      rule('HEADER', 'CONTAINS', 'beta', 'X-Channel'),
      rule('COOKIE', 'STARTS_WITH', 'blue', 'colour'),
      rule('SSL_CONN_HAS_CERT', 'EQUAL_TO', 'True'),
      rule('SSL_VERIFY_RESULT', 'EQUAL_TO', '0'),
      rule('SSL_DN_FIELD', 'STARTS_WITH', 'a', 'CN'),
    ])('may be %j', async (said) => {
      const made = await world.create(where, { rule: { ...said, invert: 'True', tags: ['t'] } })
      expect(made).toMatchObject({ key: null, ...said, invert: true, tags: ['t'] })
      expect(
        (await world.client.get(`${where}?type=${said.type}&value=${encodeURIComponent(said.value)}`)).body.rules,
      ).toMatchObject([{ id: made.id }])
    })

    it.each([
      ['no type', { type: undefined }],
      ['no comparison', { compare_type: undefined }],
      ['no value', { value: undefined }],
      ['an empty value', { value: '' }],
      ['a value of 256', { value: 'v'.repeat(256) }],
      ['an unknown attribute', { colour: 'red' }],
      ['a name, which it has none of,', { name: 'a' }],
      ['an expression that is none', { compare_type: 'REGEX', value: '(' }],
      ['a file type that begins with', { type: 'FILE_TYPE', compare_type: 'STARTS_WITH' }],
      ['a header without a key', { type: 'HEADER' }],
      ['a header of two words', { type: 'HEADER', key: 'a b' }],
      ['a cookie without a key', { type: 'COOKIE' }],
      ['a cookie with a semicolon', { type: 'COOKIE', key: 'a', value: 'b;c' }],
      ['a field of a name without a key', { type: 'SSL_DN_FIELD' }],
      ['a certificate that is false', { type: 'SSL_CONN_HAS_CERT', compare_type: 'EQUAL_TO', value: 'false' }],
      ['a verdict that is a word', { type: 'SSL_VERIFY_RESULT', compare_type: 'EQUAL_TO', value: 'good' }],
      ['an inversion that is none', { invert: 'maybe' }],
    ])('with %s is refused', async (_, more) => {
      const reply = await world.client.post(where, { rule: { ...rule('PATH', 'STARTS_WITH', '/a'), ...more } })
      expect(`${reply.status} ${JSON.stringify(reply.body)}`).toMatch(/^400 /)
      expect(reply.body).toMatchObject(FAULT)
    })

    it('is changed, and removed once', async () => {
      const { id } = await world.create(where, { rule: rule('PATH', 'STARTS_WITH', '/before') })
      const put = (change: object) => world.client.put(`${where}/${id}`, { rule: change })
      const change = { ...rule('HEADER', 'CONTAINS', 'x', 'X-A'), invert: true, admin_state_up: false }
      expect(await put(change)).toMatchObject({
        status: 200,
        body: { rule: { ...change, provisioning_status: 'PENDING_UPDATE' } },
      })
      expect((await put({ invert: null, admin_state_up: null })).body.rule).toMatchObject({
        ...{ invert: false, admin_state_up: true },
      })
      for (const wrong of [{ value: null }, { type: null }, { compare_type: null }, { key: null }, { colour: 'red' }])
        expect(await put(wrong)).toMatchObject({ status: 400, body: FAULT })
      expect((await world.client.delete(`${where}/${id}`)).status).toBe(204)
      await world.becomesActive(`loadbalancers/${lb.id}`)
      expect((await world.client.get(`${where}/${id}`)).status).toBe(404)
      expect((await world.client.delete(`${where}/${id}`)).status).toBe(404)
      expect((await world.client.get(`l7policies/${NOBODY}/rules/${id}`)).status).toBe(404)
    })
  })
})
