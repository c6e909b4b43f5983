import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { converse } from '../support/raw-socket.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine({ trustedProxies: ['127.0.0.1/32'] })
  await set('limits.anonymousCallsPerMinute', 10)
  await set('limits.failuresPerMinute', 10)
  await set('limits.callsPerMinute', 60)
})
afterAll(() => engine?.stop())

const set = (key: string, value: number) => engine.http.put(`/api/v1/settings/${key}`, { value })
/** As the proxy on this machine says that it comes from there. */
const from = (address: string, headers: Record<string, string> = {}) => ({
  headers: { 'x-forwarded-for': address, ...headers },
})
const anonymous = () => http(engine.url)
const unknown = { authorization: `Bearer kst_${'0'.repeat(32)}_${'A'.repeat(43)}` }

async function statusesOf(count: number, ask: () => Promise<{ status: number }>): Promise<Record<number, number>> {
  const seen: Record<number, number> = {}
  for (let call = 0; call < count; call++) {
    const { status } = await ask()
    seen[status] = (seen[status] ?? 0) + 1
  }
  return seen
}

/** A token that is limited, as tokens are unless it is said otherwise. */
async function limitedToken(): Promise<string> {
  const [made] = await engine.query<{ text: string; hash: Buffer }>(
    `WITH secret AS (SELECT decode(repeat('00', 32), 'hex') AS bytes)
     INSERT INTO api_tokens (user_id, name, secret_hash)
     SELECT id, 'limited', sha256(bytes) FROM users, secret WHERE users.name = 'bootstrap'
     RETURNING replace(id::text, '-', '') AS text`,
  )
  return `kst_${made?.text}_${Buffer.alloc(32).toString('base64url')}`
}

describe('calls without signing in', () => {
  it('are counted by address, and say what is left', async () => {
    const first = await anonymous().get('/openapi.json', from('203.0.113.1'))
    expect(first.headers.get('ratelimit-policy')).toBe('"calls";q=10;w=60')
    expect(first.headers.get('ratelimit')).toMatch(/^"calls";r=9;t=(60|59)$/)
    expect(await statusesOf(12, () => anonymous().get('/openapi.json', from('203.0.113.1')))).toEqual({
      200: 9,
      429: 3,
    })
    const refused = await anonymous().get('/openapi.json', from('203.0.113.1'))
    expect(refused.body).toMatchObject({ type: 'urn:keelson:problem:too-many-requests' })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(0)
    expect((await anonymous().get('/openapi.json', from('203.0.113.2'))).status).toBe(200)
  })

  it('are counted for a whole IPv6 network', async () => {
    let host = 0
    const ask = () => anonymous().get('/openapi.json', from(`2001:db8::${(++host).toString(16)}`))
    expect(await statusesOf(12, ask)).toEqual({ 200: 10, 429: 2 })
  })

  it('count also where they are refused', async () => {
    expect(await statusesOf(12, () => anonymous().get('/api/v1/hosts', from('203.0.113.3')))).toEqual({
      401: 10,
      429: 2,
    })
  })

  it('of health are not counted', async () => {
    expect(await statusesOf(15, () => anonymous().get('/health/live', from('203.0.113.4')))).toEqual({ 200: 15 })
    expect((await anonymous().get('/health/live')).headers.has('ratelimit')).toBe(false)
    expect(await statusesOf(15, () => anonymous().get('/health/live', from('203.0.113.5', unknown)))).toEqual({
      200: 15,
    })
    const { status } = await anonymous().get('/api/v1/hosts', from('203.0.113.5', unknown))
    expect(status).toBe(401)
  })
})

describe('a token', () => {
  it('is counted wherever it comes from, and for itself', async () => {
    const token = await limitedToken()
    let host = 0
    const ask = () => http(engine.url, { token }).get('/api/v1/settings', from(`198.51.100.${++host}`))
    expect(await statusesOf(62, ask)).toEqual({ 200: 60, 429: 2 })
    expect((await http(engine.url, { token: await limitedToken() }).get('/api/v1/settings')).status).toBe(200)
  })

  it('that is unlimited is not counted', async () => {
    expect(await statusesOf(70, () => engine.http.get('/api/v1/settings'))).toEqual({ 200: 70 })
    expect((await engine.http.get('/api/v1/settings')).headers.has('ratelimit')).toBe(false)
  })

  it('is not counted when metrics are read', async () => {
    const token = await limitedToken()
    expect(await statusesOf(62, () => http(engine.url, { token }).get('/metrics'))).toEqual({ 200: 62 })
  })
})

describe('credentials that are not good', () => {
  const guess = (address: string) => () => anonymous().get('/api/v1/hosts', from(address, unknown))

  it('are no longer looked at after some from one address', async () => {
    expect(await statusesOf(12, guess('203.0.113.20'))).toEqual({ 401: 10, 429: 2 })
    expect((await guess('203.0.113.21')()).status).toBe(401)
  })

  it('lock out nobody whose credentials were good before, and nobody who says nothing', async () => {
    const token = await limitedToken()
    const good = () => http(engine.url, { token }).get('/api/v1/settings', from('203.0.113.22'))
    expect((await good()).status).toBe(200)
    await statusesOf(12, guess('203.0.113.22'))
    expect((await good()).status).toBe(200)
    expect((await anonymous().get('/openapi.json', from('203.0.113.22', unknown))).status).toBe(200)
    const late = await limitedToken()
    const newcomer = await http(engine.url, { token: late }).get('/api/v1/settings', from('203.0.113.22'))
    expect(newcomer.status).toBe(429)
  })

  it('are good no longer when they are revoked, whatever was remembered', async () => {
    const token = await limitedToken()
    const ask = () => http(engine.url, { token }).get('/api/v1/settings', from('203.0.113.23'))
    expect((await ask()).status).toBe(200)
    await engine.query('UPDATE api_tokens SET revoked_at = now() WHERE id = $1', [token.split('_')[1]])
    await eventually(async () => expect((await ask()).status).toBe(401))
  })
})

describe('an address', () => {
  it('is what the nearest proxy says that is not one of ours', async () => {
    let forged = 0
    const ask = () => anonymous().get('/openapi.json', from(`192.0.2.${++forged}, 203.0.113.30`))
    expect(await statusesOf(12, ask)).toEqual({ 200: 10, 429: 2 })
  })

  it('is never taken from Forwarded', async () => {
    let forged = 0
    const ask = () => anonymous().get('/openapi.json', from('203.0.113.31', { forwarded: `for=192.0.2.${++forged}` }))
    expect(await statusesOf(12, ask)).toEqual({ 200: 10, 429: 2 })
  })

  it('is the last that is one where a proxy passed on nonsense', async () => {
    let forged = 0
    const ask = () => anonymous().get('/openapi.json', from(`nonsense-${++forged}, 203.0.113.32`))
    expect(await statusesOf(12, ask)).toEqual({ 200: 10, 429: 2 })
    const nonsense = () => anonymous().get('/openapi.json', from(`nonsense-${++forged}`))
    expect(await statusesOf(12, nonsense)).toEqual({ 200: 10, 429: 2 })
  })
})

it('nobody chooses an address where no proxy is trusted', async () => {
  const other = await startTestEngine()
  try {
    await other.http.put('/api/v1/settings/limits.anonymousCallsPerMinute', { value: 10 })
    let forged = 0
    const ask = () => http(other.url).get('/openapi.json', from(`192.0.2.${++forged}`))
    expect(await statusesOf(12, ask)).toEqual({ 200: 10, 429: 2 })
  } finally {
    await other.stop()
  }
})

describe('a body', () => {
  const post = (lines: readonly string[]) =>
    ['POST /api/v1/hosts HTTP/1.1', 'Host: x', 'Content-Type: application/json', ...lines, '', ''].join('\r\n')
  const authorized = () => `Authorization: Bearer ${engine.token}`

  it.each([
    ['of 50 MB, by its length', ['Content-Length: 50000000'], false],
    ['without an end', ['Transfer-Encoding: chunked'], true],
    ['that is held back', ['Content-Length: 50000000', 'Expect: 100-continue'], true],
    ['of 50 GB', ['Content-Length: 50000000000'], true],
  ])('%s, is not waited for from nobody', async (_, lines, closes) => {
    const { statuses, closed } = await converse(engine.url, post([...lines, 'X-Forwarded-For: 203.0.113.40']))
    expect({ statuses, closed }).toEqual({ statuses: [401], closed: closes })
  })

  it('is read to its end from who may send it', async () => {
    const { statuses } = await converse(engine.url, `${post([authorized(), 'Content-Length: 2'])}{}`)
    expect(statuses).toEqual([422])
  })

  it('that is malformed is no reason to tell nobody anything else', async () => {
    const { statuses } = await converse(engine.url, `${post(['Content-Length: 1', 'X-Forwarded-For: 203.0.113.41'])}{`)
    expect(statuses).toEqual([401])
  })

  it('is as little needed by HEAD', async () => {
    const { statuses } = await converse(
      engine.url,
      'HEAD /api/v1/hosts HTTP/1.1\r\nHost: x\r\nX-Forwarded-For: 203.0.113.42\r\n\r\n',
    )
    expect(statuses).toEqual([401])
  })

  it.each([
    ['sign in', '/api/v1/session', { name: 'nobody', password: 'wrong' }, '203.0.113.43'],
    ['enrol', '/api/v1/enrolment', { token: 'kjt_wrong', name: 'x', csr: 'x' }, '203.0.113.44'],
  ])('is not waited for from an address that is locked out and wants to %s', async (_, path, body, address) => {
    await set('limits.signInFailures', 3)
    await set('limits.enrolmentFailures', 3)
    expect(await statusesOf(4, () => anonymous().post(path, body, from(address)))).toEqual({ 401: 3, 429: 1 })
    const asking = post(['Content-Length: 50000000']).replace('/api/v1/hosts', path)
    const asked = (by: string) =>
      converse(engine.url, asking.replace('Host: x', `Host: x\r\nX-Forwarded-For: ${by}`), 2_000)
    const { statuses, received } = await asked(address)
    expect(statuses).toEqual([429])
    expect(Number(/retry-after: (\d+)/i.exec(received)?.[1])).toBeGreaterThan(0)
    // who is not locked out is told what is wrong with so large a body
    expect((await asked('203.0.113.45')).statuses).toEqual([413])
  })

  it('is as little read at a path that is not there', async () => {
    const unknown = post(['Content-Length: 50000000']).replace('/api/v1/hosts', '/api/v1/nothing')
    expect((await converse(engine.url, unknown)).statuses).toEqual([404])
    expect((await converse(engine.url, unknown.replace('POST', 'PUT').replace('nothing', 'hosts'))).statuses).toEqual([
      405,
    ])
  })

  it('finds out nothing about a path that is not there', async () => {
    expect((await anonymous().get('/api/v1/nothing', { undocumented: true })).status).toBe(404)
    expect((await anonymous().delete('/api/v1/hosts', { undocumented: true })).status).toBe(405)
  })
})
