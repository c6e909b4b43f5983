import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { makePerson, makeUser, PASSWORD } from '../support/people.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.stop())

const problem = (type: string) => ({ type: `urn:keelson:problem:${type}` })
const path = ({ id }: { id: string }) => `/api/v1/users/${id}`

describe('users', () => {
  it('are made, shown, listed by name and kind, changed under their ETag, and removed', async () => {
    const made = await engine.http.post('/api/v1/users', { kind: 'person', name: 'kim', email: 'kim@example.org' })
    expect(made).toMatchObject({ status: 201, body: { hasPassword: false, disabled: false, generation: 1 } })
    expect(made.headers.get('location')).toBe(path(made.body))
    await makeUser(engine, { kind: 'service', name: 'backup' })
    const { body } = await engine.http.get('/api/v1/users?kind=person&sort=-name&disabled=false')
    expect(body.items.map(({ name }: { name: string }) => name)).toEqual(['kim', 'admin'])
    const stale = { headers: { 'if-match': '"g7"' } }
    expect((await engine.http.patch(path(made.body), { displayName: 'Kim' }, stale)).status).toBe(412)
    const fresh = { headers: { 'if-match': made.headers.get('etag')! } }
    const changed = await engine.http.patch(path(made.body), { displayName: 'Kim', email: null }, fresh)
    expect(changed).toMatchObject({ status: 200, body: { displayName: 'Kim', email: null, generation: 2 } })
    expect((await engine.http.delete(path(made.body))).status).toBe(204)
    expect((await engine.http.get(path(made.body))).status).toBe(404)
    const told = ['created', 'updated', 'deleted'].map((what) => `identity.user.${what}`)
    await eventually(async () => {
      const events = await engine.http.get(`/api/v1/events?subject=user/${made.body.id}`)
      expect(events.body.items.map(({ type }: { type: string }) => type)).toEqual(told)
    })
  })

  it('have names that are theirs alone, and look like no other', async () => {
    await makeUser(engine, { name: 'twice' })
    const again = await engine.http.post('/api/v1/users', { kind: 'service', name: 'twice' })
    expect(again).toMatchObject({ status: 409, body: problem('name-taken') })
    for (const name of ['Kim', 'kim kim', '.kim', '', 'kïm']) {
      expect((await engine.http.post('/api/v1/users', { kind: 'person', name })).status).toBe(422)
    }
  })

  it('are never removed or disabled by themselves, nor the last person who administers the plane', async () => {
    const [admin] = (await engine.http.get('/api/v1/users?name=admin')).body.items
    const last = { status: 409, body: problem('last-administrator') }
    expect(await engine.http.delete(path(admin))).toMatchObject(last)
    expect(await engine.http.patch(path(admin), { disabled: true })).toMatchObject(last)
    const { id, browser } = await makePerson(engine, { role: 'admin' })
    expect(await browser.delete(path({ id }))).toMatchObject({ status: 409, body: problem('conflict') })
    const both = await Promise.all([browser.delete(path(admin)), engine.http.patch(path({ id }), { disabled: true })])
    expect(both.map(({ status }) => status)).toContain(409)
    const left = await engine.query(
      `SELECT u.name FROM users u JOIN role_bindings b ON b.user_id = u.id WHERE u.kind = 'person' AND NOT u.disabled AND b.role = 'admin'`,
    )
    expect(left).toHaveLength(1)
    await engine.http.patch(path({ id }), { disabled: false })
  })

  it('that are disabled are out at once, and back when they are enabled', async () => {
    const { id, browser } = await makePerson(engine, { role: 'viewer' })
    const { body } = await browser.post('/api/v1/tokens', { name: 'mine' })
    const byToken = () => http(engine.url, { token: body.token }).get('/api/v1/hosts')
    expect((await byToken()).status).toBe(200)
    await engine.http.patch(path({ id }), { disabled: true })
    expect((await browser.get('/api/v1/session')).status).toBe(401)
    expect((await byToken()).status).toBe(401)
    await engine.http.patch(path({ id }), { disabled: false })
    expect((await byToken()).status).toBe(200)
  })

  it('that are people get a one-time password, shown once, which ends their sessions and the lock', async () => {
    const { id, name, browser } = await makePerson(engine)
    await engine.query(`UPDATE users SET locked_until = now() + interval '1 hour', failed_logins = 9 WHERE id = $1`, [
      id,
    ])
    const { status, body } = await engine.http.post(`${path({ id })}/reset-password`)
    expect({ status, body }).toEqual({
      status: 200,
      body: { name, oneTimePassword: expect.stringMatching(/^[\w-]{29}$/) },
    })
    expect((await browser.get('/api/v1/session')).status).toBe(401)
    expect((await browser.signIn(name, PASSWORD)).status).toBe(401)
    expect((await browser.signIn(name, body.oneTimePassword)).status).toBe(200)
    const service = await makeUser(engine, { kind: 'service' })
    expect((await engine.http.post(`${path(service)}/reset-password`)).status).toBe(409)
  })

  it('are for administrators alone to see', async () => {
    const { browser } = await makePerson(engine, { role: 'operator' })
    for (const route of ['/api/v1/users', '/api/v1/identity-providers']) {
      expect((await browser.get(route)).status).toBe(403)
    }
  })
})
