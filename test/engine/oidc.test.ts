import { randomUUID } from 'node:crypto'
import { Browser, cookiesOf } from '../support/browser.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { CLIENT, type Person, TestProvider } from '../support/oidc.js'
import { makeUser } from '../support/people.js'
import { rowsOf } from './support/audit.js'

const lines: string[] = []
let engine: TestEngine
let provider: TestProvider
let providerId: string
const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'
const begin = '/api/v1/session/oidc/test'
const groupRoles = [
  { group: 'operations', role: 'operator' },
  { group: 'leads', role: 'admin' },
  { group: 'team', role: 'admin', projectId: DEFAULT_PROJECT },
]

beforeAll(async () => {
  engine = await startTestEngine({ logLevel: 'debug' }, { write: (line) => void lines.push(line) })
  provider = await TestProvider.start([`${engine.url}${begin}/callback`])
  const { status, body } = await engine.http.post('/api/v1/identity-providers', {
    name: 'test',
    displayName: 'The test',
    issuer: provider.issuer,
    clientId: CLIENT.id,
    clientSecret: CLIENT.secret,
    scopes: ['profile', 'email', 'groups'],
    groupRoles,
  })
  expect({ status, body }).toMatchObject({ status: 201, body: { hasClientSecret: true, enabled: true } })
  providerId = body.id
})
afterAll(async () => {
  await engine?.stop()
  await provider?.goDown()
})

const refused = { status: 403, body: { type: 'urn:keelson:problem:sign-in-refused' } }
let people = 0

function somebody(claims: Person = {}): string {
  const subject = `subject-${++people}`
  provider.people.set(subject, { preferred_username: `oidc-${people}`, name: `Kim ${people}`, ...claims })
  return subject
}

/** As far as the provider: with what the plane's redirect says, changed on the way where a test wants it so. */
async function walk(subject: string, browser = new Browser(engine.url), change: (url: URL) => void = () => undefined) {
  const redirected = await browser.get(`${begin}?returnTo=/hosts`)
  expect(redirected.status).toBe(302)
  const url = new URL(redirected.headers.get('location')!)
  change(url)
  const back = new URL(await provider.signIn(url.href, subject))
  return { browser, back, callback: back.pathname + back.search }
}

async function signIn(subject: string): Promise<Browser> {
  const { browser, callback } = await walk(subject)
  expect((await browser.get(callback)).status).toBe(302)
  return browser
}

const lastSubject = () => `subject-${people}`
const whoIs = async (browser: Browser) => (await browser.get('/api/v1/session')).body

describe('signing in through a provider', () => {
  it('goes there with PKCE, state and nonce, which only the browser keeps, sealed, and for that alone', async () => {
    const reply = await http(engine.url).get(`${begin}?returnTo=/hosts`)
    const url = new URL(reply.headers.get('location')!)
    expect(url.origin).toBe(provider.issuer)
    expect(Object.fromEntries(url.searchParams)).toEqual({
      client_id: CLIENT.id,
      response_type: 'code',
      redirect_uri: `${engine.url}${begin}/callback`,
      scope: 'openid profile email groups',
      state: expect.stringMatching(/^[\w-]{40,}$/),
      nonce: expect.stringMatching(/^[\w-]{40,}$/),
      code_challenge: expect.stringMatching(/^[\w-]{43}$/),
      code_challenge_method: 'S256',
    })
    const [cookie] = cookiesOf(reply.headers)
    expect(cookie!.value).not.toContain(url.searchParams.get('nonce'))
    const attributes = { path: '/api/v1/session/oidc', 'max-age': '600', httponly: '', samesite: 'Lax' }
    expect(Object.fromEntries(cookie!.attributes)).toEqual(attributes)
  })

  it('makes the user the first time, finds them afterwards, and goes on to the page that was wanted', async () => {
    const subject = somebody({ groups: ['operations'], email: 'kim@example.org' })
    const { browser, callback } = await walk(subject)
    const reply = await browser.get(callback)
    expect({ status: reply.status, to: reply.headers.get('location') }).toEqual({ status: 302, to: '/hosts' })
    expect([...browser.cookies.keys()]).toEqual(['keelson_session'])
    const first = await whoIs(browser)
    expect(first).toMatchObject({ name: `oidc-${people}`, displayName: `Kim ${people}`, role: 'operator' })
    provider.people.set(subject, { preferred_username: 'another-name-now', groups: ['operations'] })
    expect(await whoIs(await signIn(subject))).toMatchObject({ userId: first.userId, name: first.name })
  })

  it('lists on the sign-in page what is enabled, to anybody, and nothing else of it', async () => {
    const { body } = await http(engine.url).get('/api/v1/session/providers')
    expect(body).toEqual({ items: [{ name: 'test', displayName: 'The test', path: begin }] })
  })

  it.each(['//evil.example', 'https://evil.example', '/\\evil.example', '/%09/evil', 'javascript:alert(1)'])(
    'never goes on to %s',
    async (wanted) => {
      const browser = new Browser(engine.url)
      const there = await browser.get(`${begin}?returnTo=${encodeURIComponent(wanted)}`)
      const back = new URL(await provider.signIn(there.headers.get('location')!, somebody()))
      const { headers } = await browser.get(back.pathname + back.search)
      expect(new URL(headers.get('location')!, engine.url).origin).toBe(engine.url)
    },
  )

  it('never takes over a user of the same name', async () => {
    const { name } = await makeUser(engine)
    const { browser, callback } = await walk(somebody({ preferred_username: name }))
    expect(await browser.get(callback)).toMatchObject(refused)
    expect(await browser.get('/api/v1/session')).toMatchObject({ status: 401 })
  })

  it('is refused to who is disabled', async () => {
    const subject = somebody()
    const { userId } = await whoIs(await signIn(subject))
    await engine.http.patch(`/api/v1/users/${userId}`, { disabled: true })
    const { browser, callback } = await walk(subject)
    expect(await browser.get(callback)).toMatchObject({
      ...refused,
      body: { detail: expect.stringMatching(/disabled/) },
    })
  })
})

describe('the groups of a user', () => {
  it('give roles in the plane and in projects, the highest where several speak of one place', async () => {
    const browser = await signIn(somebody({ groups: ['operations', 'leads', 'team', 'unknown'] }))
    expect(await whoIs(browser)).toMatchObject({ role: 'admin', projects: [{ name: 'default', role: 'admin' }] })
  })

  it('take the role away at the next sign-in when they are gone, and leave what was given here', async () => {
    const subject = somebody({ groups: ['leads'] })
    const { userId } = await whoIs(await signIn(subject))
    await engine.query(`INSERT INTO role_bindings (user_id, project_id, role) VALUES ($1, $2, 'viewer')`, [
      userId,
      DEFAULT_PROJECT,
    ])
    provider.people.get(subject)!.groups = []
    const browser = await signIn(subject)
    expect(await whoIs(browser)).toMatchObject({ role: null, projects: [{ role: 'viewer' }] })
    expect((await browser.get('/api/v1/users')).status).toBe(403)
  })
})

describe('what a provider said', () => {
  const path = () => `/api/v1/identity-providers/${providerId}`
  const rolesOf = (userId: string) => engine.query('SELECT role FROM role_bindings WHERE user_id = $1', [userId])

  it('opens a session that ends after half a day, however much it is used', async () => {
    const browser = await signIn(somebody())
    const { userId } = await whoIs(browser)
    const endsIn = async () => {
      const sql = `SELECT round(extract(epoch FROM expires_at - created_at) / 3600)::int AS hours FROM web_sessions
        WHERE user_id = $1 ORDER BY expires_at DESC`
      return (await engine.query(sql, [userId]))[0]?.hours
    }
    expect(await endsIn()).toBe(12)
    // once more, so that the next use is written: within a minute it is not
    const again = await signIn(lastSubject())
    await engine.query(
      `UPDATE web_sessions SET created_at = now() - interval '11 hours', expires_at = now() + interval '5 minutes'
       WHERE user_id = $1`,
      [userId],
    )
    await again.get('/api/v1/session')
    await eventually(async () => expect(await endsIn()).toBe(12))
  })

  it('is forgotten when they have not come again for a week: their tokens may nothing any more', async () => {
    const browser = await signIn(somebody({ groups: ['leads'] }))
    const { userId, name } = await whoIs(browser)
    const { token } = (await browser.post('/api/v1/tokens', { name: 'lasting' })).body
    expect((await http(engine.url, { token }).get('/api/v1/users')).status).toBe(200)
    await engine.query(`UPDATE role_bindings SET created_at = now() - interval '8 days' WHERE user_id = $1`, [userId])
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'identity.provider-roles'`)
    await eventually(async () => expect((await http(engine.url, { token }).get('/api/v1/users')).status).toBe(403))
    await eventually(async () => {
      const { body } = await engine.http.get('/api/v1/events?type=identity.role.revoked&limit=200')
      expect(body.items).toContainEqual(expect.objectContaining({ payload: { userId, userName: name } }))
    })
  })

  it('counts no more when the provider is disabled, for tokens either', async () => {
    const browser = await signIn(somebody({ groups: ['leads'] }))
    const { userId } = await whoIs(browser)
    await engine.http.patch(path(), { enabled: false })
    expect(await rolesOf(userId)).toEqual([])
    await engine.http.patch(path(), { enabled: true })
  })

  it('counts no more when no group gives it any more', async () => {
    const [lead, operator] = [
      await signIn(somebody({ groups: ['leads'] })),
      await signIn(somebody({ groups: ['operations'] })),
    ]
    expect(
      await engine.http.patch(path(), { groupRoles: groupRoles.filter(({ group }) => group !== 'leads') }),
    ).toMatchObject({ status: 200 })
    expect(await whoIs(lead)).toMatchObject({ role: null })
    expect(await whoIs(operator)).toMatchObject({ role: 'operator' })
    await engine.http.patch(path(), { groupRoles })
  })

  it('is in the audit log, whoever came by it and whoever did not', async () => {
    const left = async (change: (url: URL) => void) => {
      const { browser, back } = await walk(somebody())
      change(back)
      const requestId = randomUUID()
      await browser.get(back.pathname + back.search, { headers: { 'x-request-id': requestId } })
      const [row] = await rowsOf(engine, requestId)
      return { row, browser }
    }
    const good = await left(() => undefined)
    const { userId, name } = await whoIs(good.browser)
    expect(good.row).toMatchObject({
      operation: 'session.finishOidc',
      method: 'GET',
      status: 302,
      userId,
      userName: name,
    })
    expect(good.row.subjects).toContain(`user/${userId}`)
    expect(good.row.path).toBe(`${begin}/callback`)
    const { row } = await left((back) => back.searchParams.set('state', 'another'))
    expect(row).toMatchObject({
      operation: 'session.finishOidc',
      status: 403,
      problem: 'sign-in-refused',
      userId: null,
    })
  })

  it('is not taken from the last administrator who could come', async () => {
    const browser = await signIn(somebody())
    const { userId } = await whoIs(browser)
    await engine.http.put(`/api/v1/users/${userId}/role-bindings/plane`, { role: 'admin' })
    const others = await engine.query(
      `SELECT u.id FROM users u JOIN role_bindings b ON b.user_id = u.id
       WHERE u.kind = 'person' AND b.role = 'admin' AND b.project_id IS NULL AND u.id <> $1`,
      [userId],
    )
    const disable = (disabled: boolean) =>
      engine.query('UPDATE users SET disabled = $2 WHERE id = ANY($1)', [others.map(({ id }) => id), disabled])
    await disable(true)
    const last = { status: 409, body: { type: 'urn:keelson:problem:last-administrator' } }
    expect(await engine.http.patch(path(), { enabled: false })).toMatchObject(last)
    expect(await engine.http.delete(path())).toMatchObject(last)
    expect((await browser.get('/api/v1/session')).status).toBe(200)
    await disable(false)
    await engine.http.delete(`/api/v1/users/${userId}/role-bindings/plane`)
  })
})

describe('an answer that does not belong to the sign-in', () => {
  it('is refused with a wrong state', async () => {
    const { browser, back } = await walk(somebody())
    back.searchParams.set('state', 'another')
    expect(await browser.get(back.pathname + back.search)).toMatchObject(refused)
  })

  it('is refused with a wrong nonce', async () => {
    const { browser, callback } = await walk(somebody(), undefined, (url) => url.searchParams.set('nonce', 'another'))
    expect(await browser.get(callback)).toMatchObject(refused)
    expect(browser.cookies.has('keelson_session')).toBe(false)
  })

  it('is a failed sign-in of its address, unless the browser had begun none', async () => {
    const count = async () => {
      const rows = await engine.query<{ attempts: number }>(
        `SELECT attempts FROM limit_counters WHERE key LIKE 'sign-in:%'`,
      )
      return rows[0]?.attempts ?? 0
    }
    await signIn(somebody())
    const before = await count()
    await signIn(somebody())
    expect(await new Browser(engine.url).get((await walk(somebody())).callback)).toMatchObject(refused)
    expect(await count()).toBe(before)
    const { browser, back } = await walk(somebody())
    back.searchParams.set('state', 'another')
    expect(await browser.get(back.pathname + back.search)).toMatchObject(refused)
    expect(await count()).toBe(before + 1)
  })

  it('is refused in another browser', async () => {
    const { callback } = await walk(somebody())
    expect(await new Browser(engine.url).get(callback)).toMatchObject(refused)
    const other = new Browser(engine.url)
    await other.get(begin)
    expect(await other.get(callback)).toMatchObject(refused)
  })

  it('is refused with a cookie that is none of ours, and with one that took too long', async () => {
    const { callback } = await walk(somebody())
    for (const cookie of ['keelson_oidc=nonsense', 'keelson_oidc=sealed:1:0123456789abcdef:AAAA']) {
      expect(await http(engine.url).get(callback, { headers: { cookie } })).toMatchObject(refused)
    }
  })

  it('is refused with a code that was used, or whose time is over', async () => {
    const { browser, callback } = await walk(somebody())
    const { cookie } = browser
    expect((await browser.get(callback)).status).toBe(302)
    expect(await http(engine.url).get(callback, { headers: { cookie } })).toMatchObject(refused)
    provider.serve({ ttl: { AuthorizationCode: 1 } })
    const late = await walk(somebody())
    const walkedAt = Date.now()
    await eventually(() => expect(Date.now()).toBeGreaterThan(walkedAt + 2_000))
    expect(await late.browser.get(late.callback)).toMatchObject(refused)
    provider.serve()
  })

  it('is refused where the person said no', async () => {
    const { browser, back } = await walk(somebody())
    const denied = `${back.pathname}?error=access_denied&state=${back.searchParams.get('state')}&iss=${encodeURIComponent(provider.issuer)}`
    const reply = await browser.get(denied)
    expect(reply).toMatchObject({ ...refused, body: { detail: expect.stringMatching(/denied/) } })
  })

  it('is refused by the provider without PKCE, and with that of another sign-in', async () => {
    const without = await walk(somebody(), undefined, (url) => {
      url.searchParams.delete('code_challenge')
      url.searchParams.delete('code_challenge_method')
    })
    expect(without.back.searchParams.get('error')).toBe('invalid_request')
    const other = await walk(somebody(), undefined, (url) => url.searchParams.set('code_challenge', 'A'.repeat(43)))
    expect(await other.browser.get(other.callback)).toMatchObject(refused)
  })
})

describe('a provider', () => {
  it('may change its keys', async () => {
    await signIn(somebody())
    provider.serve()
    await signIn(somebody())
  })

  it('is not asked for its metadata and keys each time', async () => {
    provider.asked.length = 0
    await signIn(somebody())
    await signIn(somebody())
    expect(provider.asked.filter((path) => path.includes('.well-known'))).toEqual([])
    expect(provider.asked.filter((path) => path.endsWith('/jwks')).length).toBeLessThanOrEqual(1)
  })

  it('that is down is told as such, and signs in when it is back', async () => {
    const { browser, callback } = await walk(somebody())
    await engine.http.patch(`/api/v1/identity-providers/${providerId}`, { displayName: 'Still the test' })
    await provider.goDown()
    const down = { status: 503, body: { type: 'urn:keelson:problem:identity-provider-unavailable' } }
    expect(await browser.get(callback)).toMatchObject(down)
    const reply = await http(engine.url).get(begin)
    expect(reply).toMatchObject(down)
    expect(reply.headers.get('retry-after')).toBe('5')
    await provider.comeUp()
    await eventually(async () => expect((await http(engine.url).get(begin)).status).toBe(302))
    await signIn(somebody())
  })

  it('that is disabled ends the sessions that it opened, and signs nobody in', async () => {
    const browser = await signIn(somebody())
    const path = `/api/v1/identity-providers/${providerId}`
    await engine.http.patch(path, { enabled: false })
    expect((await browser.get('/api/v1/session')).status).toBe(401)
    expect((await http(engine.url).get(begin)).status).toBe(404)
    await engine.http.patch(path, { enabled: true })
  })

  it('that is removed takes its roles with it', async () => {
    const subject = somebody({ groups: ['leads'] })
    const { userId } = await whoIs(await signIn(subject))
    const again = await engine.http.post('/api/v1/identity-providers', {
      name: 'other',
      issuer: provider.issuer,
      clientId: 'x',
    })
    expect((await engine.http.delete(`/api/v1/identity-providers/${again.body.id}`)).status).toBe(204)
    const bindings = () => engine.query('SELECT role FROM role_bindings WHERE user_id = $1', [userId])
    expect(await bindings()).toHaveLength(1)
    await engine.query('DELETE FROM identity_providers WHERE id = $1', [providerId])
    expect(await bindings()).toEqual([])
  })

  it.each([
    ['whose issuer is not https', { issuer: 'http://login.example.org' }, 'issuer'],
    ['whose plane is not https', { publicUrl: 'http://plane.example.org' }, 'publicUrl'],
    ['without a client', { clientId: undefined }, 'clientId'],
    [
      'for a project that is not there',
      { groupRoles: [{ ...groupRoles[0], projectId: providerIdOf(0) }] },
      'groupRoles[0].projectId',
    ],
  ])('%s is refused', async (_, change, field) => {
    const body = { name: 'bad', issuer: 'https://login.example.org', clientId: 'x', ...change }
    expect(await engine.http.post('/api/v1/identity-providers', body)).toMatchObject({
      status: 422,
      body: { faults: [{ field }] },
    })
  })
})

function providerIdOf(number: number): string {
  return `00000000-0000-4000-8000-00000000000${number}`
}

it('leaves the client secret in no row, reply or line of the log', async () => {
  const { body } = await engine.http.get('/api/v1/identity-providers')
  expect(JSON.stringify(body)).not.toContain(CLIENT.secret)
  expect(lines.join('')).not.toContain(CLIENT.secret)
  for (const table of ['identity_providers', 'events', 'idempotency_keys']) {
    const [row] = await engine.query<{ text: string }>(
      `SELECT coalesce(string_agg(t::text, ','), '') AS text FROM ${table} t`,
    )
    expect(row?.text).not.toContain(CLIENT.secret)
  }
})
