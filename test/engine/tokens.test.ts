import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { makePerson, makeUser } from '../support/people.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.stop())

const tokens = '/api/v1/tokens'
const DEFAULT_PROJECT = '00000000-0000-4000-8000-00000000d0d0'
const by = (token: string) => http(engine.url, { token })
const inDays = (days: number) => new Date(Date.now() + days * 86_400_000).toISOString()

describe('a token of one’s own', () => {
  it('is shown once, does what its user may, and is revoked', async () => {
    const { browser } = await makePerson(engine, { role: 'viewer' })
    const made = await browser.post(tokens, { name: 'mine' })
    expect(made).toMatchObject({
      status: 201,
      body: { name: 'mine', token: expect.stringMatching(/^kst_/), role: null },
    })
    const days = (Date.parse(made.body.expiresAt) - Date.now()) / 86_400_000
    expect(Math.round(days)).toBe(90)
    expect((await by(made.body.token).get('/api/v1/hosts')).status).toBe(200)
    const { body } = await browser.get(tokens)
    expect(body.items).toMatchObject([{ id: made.body.id, revokedAt: null }])
    expect(JSON.stringify(body)).not.toContain(made.body.token)
    expect((await browser.delete(`${tokens}/${made.body.id}`)).status).toBe(204)
    expect((await by(made.body.token).get('/api/v1/hosts')).status).toBe(401)
    expect((await browser.get(`${tokens}/${made.body.id}`)).body.revokedAt).not.toBeNull()
  })

  it('may no more than its role and its project, whatever its user may', async () => {
    const { browser } = await makePerson(engine, { role: 'admin' })
    const make = async (body: object) => by((await browser.post(tokens, { name: 'capped', ...body })).body.token)
    const viewer = await make({ role: 'viewer' })
    expect((await viewer.get('/api/v1/hosts')).status).toBe(200)
    expect((await viewer.post('/api/v1/hosts', { name: 'x' })).status).toBe(403)
    const inProject = await make({ projectId: DEFAULT_PROJECT })
    expect((await inProject.get('/api/v1/session')).body).toMatchObject({ role: null, projects: [{ role: 'admin' }] })
    expect((await inProject.get('/api/v1/hosts')).status).toBe(403)
  })

  it('is not for others to see or revoke', async () => {
    const [one, other] = [await makePerson(engine), await makePerson(engine)]
    const { id } = (await one.browser.post(tokens, { name: 'mine' })).body
    expect((await other.browser.get(`${tokens}/${id}`)).status).toBe(404)
    expect((await other.browser.delete(`${tokens}/${id}`)).status).toBe(404)
    expect((await engine.http.delete(`/api/v1/users/${one.id}/tokens/${id}`)).status).toBe(204)
  })

  it.each([
    ['never ends', () => ({ expiresAt: null }), 'expiresAt'],
    ['ends in the past', () => ({ expiresAt: inDays(-1) }), 'expiresAt'],
    ['ends in years', () => ({ expiresAt: inDays(400) }), 'expiresAt'],
    ['is for a project that they cannot see', () => ({ projectId: DEFAULT_PROJECT }), 'projectId'],
  ])('of a person is refused when it %s', async (_, change, field) => {
    const { browser } = await makePerson(engine)
    const reply = await browser.post(tokens, { name: 'bad', ...change() })
    expect(reply).toMatchObject({ status: 422, body: { faults: [{ field }] } })
  })

  it('is exempt from the rate limits only where an administrator says so', async () => {
    const { browser } = await makePerson(engine, { role: 'operator' })
    expect((await browser.post(tokens, { name: 'fast', unlimited: true })).status).toBe(403)
    const admin = await makePerson(engine, { role: 'admin' })
    expect((await admin.browser.post(tokens, { name: 'fast', unlimited: true })).body.unlimited).toBe(true)
  })

  it('is answered again under its Idempotency-Key, and is kept there sealed', async () => {
    const { browser } = await makePerson(engine)
    const headers = { 'idempotency-key': 'once' }
    const first = await browser.post(tokens, { name: 'mine' }, { headers })
    const again = await browser.post(tokens, { name: 'mine' }, { headers })
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(again.body).toEqual(first.body)
    const [row] = await engine.query<{ text: string }>(
      `SELECT string_agg(k::text, ',') AS text FROM idempotency_keys k`,
    )
    expect(row?.text).toContain('sealed:1:')
    expect(row?.text).not.toContain(first.body.token)
  })
})

describe('a token that makes tokens', () => {
  it('makes none that may more, or lasts longer, than itself', async () => {
    const { browser } = await makePerson(engine, { role: 'admin' })
    const terms = { name: 'parent', role: 'operator', projectId: DEFAULT_PROJECT, expiresAt: inDays(10) }
    const parent = (await browser.post(tokens, terms)).body
    const child = await by(parent.token).post(tokens, { name: 'child' })
    expect(child).toMatchObject({
      status: 201,
      body: { role: 'operator', projectId: DEFAULT_PROJECT, expiresAt: parent.expiresAt },
    })
    for (const more of [{ role: 'admin' }, { expiresAt: inDays(11) }, { unlimited: true }]) {
      expect((await by(parent.token).post(tokens, { name: 'more', ...more })).status).toBe(403)
    }
    const less = await by(parent.token).post(tokens, { name: 'less', role: 'viewer', expiresAt: inDays(1) })
    expect(less).toMatchObject({ status: 201, body: { role: 'viewer' } })
  })
})

describe('a token that revokes tokens', () => {
  it('ends itself alone where it was made for less than its user may', async () => {
    const { browser } = await makePerson(engine, { role: 'admin' })
    const make = async (body: object) => (await browser.post(tokens, { name: 'one', ...body })).body
    const [whole, viewer, inProject] = [
      await make({}),
      await make({ role: 'viewer' }),
      await make({ projectId: DEFAULT_PROJECT }),
    ]
    for (const { token } of [viewer, inProject]) {
      expect((await by(token).delete(`${tokens}/${whole.id}`)).status).toBe(403)
    }
    expect((await by(viewer.token).delete(`${tokens}/${viewer.id}`)).status).toBe(204)
    expect((await by(viewer.token).get(tokens)).status).toBe(401)
    expect((await by(whole.token).delete(`${tokens}/${inProject.id}`)).status).toBe(204)
    expect((await by(inProject.token).get(tokens)).status).toBe(401)
  })
})

describe('the tokens of a service', () => {
  it('are made by an administrator, and may never end; those of people are not', async () => {
    const service = await makeUser(engine, { kind: 'service', role: 'operator' })
    const path = `/api/v1/users/${service.id}/tokens`
    const made = await engine.http.post(path, { name: 'for ever', expiresAt: null })
    expect(made).toMatchObject({ status: 201, body: { expiresAt: null, userId: service.id } })
    expect((await by(made.body.token).get('/api/v1/session')).body).toMatchObject({ kind: 'service', role: 'operator' })
    expect((await engine.http.get(path)).body.items).toHaveLength(1)
    const { id } = await makeUser(engine)
    expect((await engine.http.post(`/api/v1/users/${id}/tokens`, { name: 'x' })).status).toBe(409)
    const { browser } = await makePerson(engine, { role: 'operator' })
    expect((await browser.post(path, { name: 'x' })).status).toBe(403)
  })
})

describe('the use of a token', () => {
  it('is written to the minute, behind the requests', async () => {
    const { browser } = await makePerson(engine, { role: 'viewer' })
    const { id, token } = (await browser.post(tokens, { name: 'used' })).body
    const lastUsed = async () => (await browser.get(`${tokens}/${id}`)).body.lastUsedAt
    expect(await lastUsed()).toBeNull()
    await by(token).get('/api/v1/hosts')
    const first = await eventually(async () => {
      const at = await lastUsed()
      expect(at).not.toBeNull()
      return at
    })
    for (let count = 0; count < 20; count++) await by(token).get('/api/v1/hosts')
    expect(await lastUsed()).toBe(first)
  })
})

describe('tokens that have ended', () => {
  it('are removed when their retention is over, and not before', async () => {
    const { browser, id } = await makePerson(engine)
    for (const name of ['expired', 'revoked', 'young', 'live']) await browser.post(tokens, { name })
    const set = (name: string, change: string) =>
      engine.query(`UPDATE api_tokens SET ${change} WHERE user_id = $1 AND name = $2`, [id, name])
    await set('expired', `expires_at = now() - interval '31 days'`)
    await set('revoked', `revoked_at = now() - interval '31 days'`)
    await set('young', `revoked_at = now() - interval '1 day'`)
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'identity.tokens'`)
    await eventually(async () => {
      const { body } = await browser.get(`${tokens}?sort=name`)
      expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['live', 'young'])
    })
  })
})
