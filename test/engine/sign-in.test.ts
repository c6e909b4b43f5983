import { randomUUID } from 'node:crypto'
import { jest } from '@jest/globals'
import { Turnstile } from '../../src/engine/platform/turnstile.js'
import { Browser, cookiesOf } from '../support/browser.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { makePerson, makeUser, PASSWORD } from '../support/people.js'
import { rowsOf } from './support/audit.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
  await engine.http.put('/api/v1/settings/limits.signInFailures', { value: 1_000 })
})
afterAll(() => engine?.stop())

const problem = (type: string) => ({ type: `urn:keelson:problem:${type}` })
const hosts = '/api/v1/hosts'
const session = '/api/v1/session'

describe('signing in', () => {
  it('sets a cookie that no script sees and no other site sends, and says who one is and what one may', async () => {
    const { name, id } = await makePerson(engine, { role: 'viewer' })
    await engine.query(
      `INSERT INTO role_bindings (user_id, project_id, role) VALUES ($1, '00000000-0000-4000-8000-00000000d0d0', 'admin')`,
      [id],
    )
    const browser = new Browser(engine.url)
    const reply = await browser.signIn(name.toUpperCase(), PASSWORD)
    const who = {
      userId: id,
      name,
      kind: 'person',
      mustChangePassword: false,
      role: 'viewer',
      projects: [{ name: 'default', role: 'admin' }],
      tokenId: null,
    }
    expect(reply).toMatchObject({ status: 200, body: who })
    const [cookie] = cookiesOf(reply.headers)
    expect(cookie?.name).toBe('keelson_session')
    // no Max-Age: it ends with the browser; no Secure over plain HTTP, where it would not be sent back
    expect(Object.fromEntries(cookie!.attributes)).toEqual({ path: '/', httponly: '', samesite: 'Strict' })
    expect(await browser.get(session)).toMatchObject({ status: 200, body: who })
    expect((await browser.get(hosts)).status).toBe(200)
    expect((await browser.post(hosts, { name: 'h1' })).status).toBe(403)
  })

  it('keeps of the cookie nothing that would open the session', async () => {
    const { browser } = await makePerson(engine)
    const secret = browser.cookies.get('keelson_session')!.split('_').slice(2).join('_')
    const [row] = await engine.query<{ text: string }>(`SELECT string_agg(s::text, ',') AS text FROM web_sessions s`)
    expect(row?.text).not.toContain(secret)
    expect(row?.text).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
  })

  it('is answered alike for an unknown, a disabled, a passwordless and a locked user, at the cost of one hash each', async () => {
    const [disabled, locked] = [await makePerson(engine), await makePerson(engine)]
    await engine.http.patch(`/api/v1/users/${disabled.id}`, { disabled: true })
    await engine.query(`UPDATE users SET locked_until = now() + interval '1 hour' WHERE id = $1`, [locked.id])
    const { name: service } = await makeUser(engine, { kind: 'service' })
    const { name: passwordless } = await makeUser(engine)
    // what each hash has to pass
    const hashed = jest.spyOn(Turnstile.prototype, 'pass')
    const answers = []
    for (const name of ['nobody-at-all', disabled.name, locked.name, service, passwordless]) {
      hashed.mockClear()
      const { status, body } = await http(engine.url).post(session, { name, password: PASSWORD })
      answers.push(JSON.stringify({ status, ...body, requestId: '' }))
      expect(hashed).toHaveBeenCalledTimes(1)
    }
    hashed.mockRestore()
    expect(new Set(answers).size).toBe(1)
    expect(JSON.parse(answers[0]!)).toMatchObject({ status: 401, ...problem('wrong-credentials') })
  })

  it('does not heed an Idempotency-Key: each failure is counted, and no reply is kept', async () => {
    const { id, name } = await makePerson(engine)
    const headers = { 'idempotency-key': 'again' }
    for (const _ of [1, 2]) await http(engine.url).post(session, { name, password: 'wrong' }, { headers })
    const [row] = await engine.query<{ failed_logins: number }>('SELECT failed_logins FROM users WHERE id = $1', [id])
    expect(row?.failed_logins).toBe(2)
    expect(await engine.query(`SELECT * FROM idempotency_keys WHERE scope LIKE '%session%'`)).toEqual([])
  })
})

describe('a session', () => {
  it('ends when its user signs out, and takes its cookie away', async () => {
    const { browser } = await makePerson(engine)
    const { cookie } = browser
    const reply = await browser.delete(session)
    expect(reply.status).toBe(204)
    expect(Object.fromEntries(cookiesOf(reply.headers)[0]!.attributes)).toMatchObject({ 'max-age': '0', path: '/' })
    expect(browser.cookies.size).toBe(0)
    expect(await http(engine.url).get(session, { headers: { cookie } })).toMatchObject({ status: 401 })
  })

  it.each([
    ['unused for long', `expires_at = now() - interval '1 second'`],
    ['at the end of its lifetime, however much it is used', `created_at = now() - interval '8 days'`],
  ])('ends when it is %s', async (_, change) => {
    const { browser, id } = await makePerson(engine)
    await engine.query(`UPDATE web_sessions SET ${change} WHERE user_id = $1`, [id])
    await eventually(async () => expect(await browser.get(session)).toMatchObject({ status: 401 }))
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'identity.sessions'`)
    await eventually(async () =>
      expect(await engine.query('SELECT id FROM web_sessions WHERE user_id = $1', [id])).toEqual([]),
    )
  })

  it('lasts longer by being used, but not longer than its lifetime', async () => {
    const { id, name } = await makePerson(engine)
    const browser = new Browser(engine.url)
    await browser.signIn(name, PASSWORD)
    const left = async () => {
      const sql = `SELECT round(extract(epoch FROM max(expires_at) - now()) / 3600)::int AS hours FROM web_sessions WHERE user_id = $1`
      return (await engine.query<{ hours: number }>(sql, [id]))[0]?.hours
    }
    await engine.query(
      `UPDATE web_sessions SET expires_at = now() + interval '1 hour', created_at = now() - interval '161 hours' WHERE user_id = $1`,
      [id],
    )
    expect((await browser.get(session)).status).toBe(200)
    await eventually(async () => expect(await left()).toBe(7))
  })

  it('does not count where a token comes with it', async () => {
    const { browser } = await makePerson(engine)
    const headers = { authorization: `Bearer ${engine.token}`, 'sec-fetch-site': 'cross-site' }
    expect((await browser.get(session, { headers })).body).toMatchObject({ tokenId: expect.any(String), role: 'admin' })
    expect((await browser.post(hosts, { name: 'by-token' }, { headers })).status).toBe(201)
    expect((await browser.get(hosts, { headers: { authorization: 'Bearer kst_no' } })).status).toBe(401)
  })
})

describe('the audit log', () => {
  it('says who signed in, and whose account somebody could not sign in to', async () => {
    const { id, name } = await makePerson(engine)
    const left = async (password: string, as = name) => {
      const requestId = randomUUID()
      await http(engine.url).post(session, { name: as, password }, { headers: { 'x-request-id': requestId } })
      return (await rowsOf(engine, requestId))[0]
    }
    expect(await left(PASSWORD)).toMatchObject({ status: 200, userId: id, userName: name, subjects: [`user/${id}`] })
    const failed = { operation: 'session.signIn', status: 401, problem: 'wrong-credentials', userId: null }
    expect(await left('not this one')).toMatchObject({ ...failed, userName: 'anonymous', subjects: [`user/${id}`] })
    const typed = await left('admin', 'a-password-typed-as-a-name')
    expect(typed).toMatchObject({ ...failed, subjects: [] })
    expect(JSON.stringify(typed)).not.toContain('a-password-typed')
  })
})

describe('a request with the cookie that changes something', () => {
  const host = () => new URL(engine.url).host
  const cases: [string, Record<string, string>, number][] = [
    ['from our own page', { 'sec-fetch-site': 'same-origin' }, 201],
    ['from the address bar', { 'sec-fetch-site': 'none' }, 201],
    ['from another host of our site', { 'sec-fetch-site': 'same-site' }, 403],
    ['from another site', { 'sec-fetch-site': 'cross-site' }, 403],
    ['from another site that also claims our origin', { 'sec-fetch-site': 'cross-site', origin: 'OURS' }, 403],
    ['from an older browser on our page', { origin: 'OURS' }, 201],
    ['from an older browser on another site', { origin: 'http://evil.example' }, 403],
    ['from a sandboxed frame', { origin: 'null' }, 403],
    ['from another port of ours', { origin: 'http://127.0.0.1:1' }, 403],
    ['that does not say where it comes from', {}, 403],
  ]

  it.each(cases)('%s', async (_, given, status) => {
    const { browser } = await makePerson(engine, { role: 'admin' })
    const headers = { ...given, cookie: browser.cookie, ...(given.origin === 'OURS' && { origin: `http://${host()}` }) }
    const reply = await http(engine.url).post(
      '/api/v1/users',
      { kind: 'person', name: `by-${Date.now()}` },
      { headers },
    )
    expect(reply).toMatchObject({ status, ...(status === 403 && { body: problem('cross-site') }) })
    expect((await http(engine.url).get(session, { headers })).status).toBe(200)
  })

  it('is refused to sign in where another site says it comes from there', async () => {
    const { name } = await makePerson(engine)
    const headers = { 'sec-fetch-site': 'cross-site' }
    const reply = await http(engine.url).post(session, { name, password: PASSWORD }, { headers })
    expect(reply).toMatchObject({ status: 403, body: problem('cross-site') })
  })
})

describe('a password', () => {
  it('that was given for once opens nothing but the choice of another', async () => {
    const { id, name } = await makeUser(engine, { role: 'admin' })
    const { oneTimePassword } = (await engine.http.post(`/api/v1/users/${id}/reset-password`)).body
    const browser = new Browser(engine.url)
    expect((await browser.signIn(name, oneTimePassword)).body).toMatchObject({ mustChangePassword: true })
    expect(await browser.get(hosts)).toMatchObject({ status: 403, body: problem('password-change-required') })
    expect((await browser.post('/api/v1/tokens', { name: 'sly' })).status).toBe(403)
    expect((await browser.get(session)).status).toBe(200)
    const next = { current: oneTimePassword, next: PASSWORD }
    expect((await browser.put('/api/v1/session/password', next)).status).toBe(204)
    expect((await browser.get(hosts)).status).toBe(200)
    expect((await new Browser(engine.url).signIn(name, oneTimePassword)).status).toBe(401)
  })

  it('that is changed ends the session in which it was, for another: a cookie that was copied is worth nothing', async () => {
    const { id, name } = await makeUser(engine, { role: 'admin' })
    const { oneTimePassword } = (await engine.http.post(`/api/v1/users/${id}/reset-password`)).body
    const browser = new Browser(engine.url)
    await browser.signIn(name, oneTimePassword)
    const copied = { cookie: browser.cookie, 'sec-fetch-site': 'same-origin' }
    await browser.put('/api/v1/session/password', { current: oneTimePassword, next: PASSWORD })
    expect((await http(engine.url).get(hosts, { headers: copied })).status).toBe(401)
    expect((await browser.get(hosts)).status).toBe(200)
    expect(await engine.query('SELECT id FROM web_sessions WHERE user_id = $1', [id])).toHaveLength(1)
  })

  it('that is changed ends the other sessions of its user', async () => {
    const { browser, name } = await makePerson(engine)
    const other = new Browser(engine.url)
    await other.signIn(name, PASSWORD)
    await browser.put('/api/v1/session/password', { current: PASSWORD, next: `${PASSWORD}!` })
    expect((await other.get(session)).status).toBe(401)
    expect((await browser.get(session)).status).toBe(200)
  })

  it.each([
    ['shorter than 12 characters', 'elevenchars'],
    ['longer than 256', 'ab'.repeat(129)],
    ['the name of its user', 'NAMENAMENAME'],
    ['one character again and again', 'aaaaaaaaaaaaaaa'],
    ['the one before', PASSWORD],
  ])('is refused when it is %s', async (_, next) => {
    const { browser, name } = await makePerson(engine)
    const wanted = next.replaceAll('NAME', name)
    const reply = await browser.put('/api/v1/session/password', { current: PASSWORD, next: wanted })
    expect(reply).toMatchObject({ status: 422, body: { faults: [{ field: 'next' }] } })
  })

  it('is not changed by who does not know it, nor by a token', async () => {
    const { browser } = await makePerson(engine)
    const change = { current: 'something else', next: `${PASSWORD}!` }
    expect(await browser.put('/api/v1/session/password', change)).toMatchObject({
      status: 401,
      body: problem('wrong-credentials'),
    })
    expect((await engine.http.put('/api/v1/session/password', change)).status).toBe(403)
  })

  it('is known by its argon2id hash alone, at the cost that OWASP asks for', async () => {
    const { id } = await makePerson(engine)
    const [row] = await engine.query<{ password_hash: string }>('SELECT password_hash FROM users WHERE id = $1', [id])
    expect(row?.password_hash).toMatch(/^\$argon2id\$v=19\$m=19456,t=2,p=1\$/)
  })
})

describe('failed sign-ins', () => {
  const attempt = (name: string, password: string) => http(engine.url).post(session, { name, password })

  it('lock the user, who gets in again when the lock has ended; each further failure doubles it', async () => {
    const { id, name } = await makePerson(engine)
    const lockSeconds = async () => {
      const sql = 'SELECT round(extract(epoch FROM locked_until - now()))::int AS seconds FROM users WHERE id = $1'
      return (await engine.query<{ seconds: number | null }>(sql, [id]))[0]?.seconds ?? null
    }
    const endLock = () => engine.query(`UPDATE users SET locked_until = now() WHERE id = $1`, [id])
    for (const _ of [1, 2, 3, 4]) await attempt(name, 'wrong')
    expect(await lockSeconds()).toBeNull()
    await attempt(name, 'wrong')
    expect(await lockSeconds()).toBeGreaterThan(20)
    expect((await attempt(name, PASSWORD)).status).toBe(401)
    await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/events?type=identity.user.locked&subject=user/${id}`)
      expect(body.items).toHaveLength(1)
    })
    await endLock()
    await attempt(name, 'wrong')
    expect(await lockSeconds()).toBeGreaterThan(50)
    await endLock()
    expect((await attempt(name, PASSWORD)).status).toBe(200)
    await attempt(name, 'wrong')
    expect(await lockSeconds()).toBeNull()
  })

  it('get no more guesses at once than one after the other', async () => {
    const { id, name } = await makePerson(engine)
    await Promise.all(Array.from({ length: 12 }, () => attempt(name, 'wrong')))
    const [row] = await engine.query<{ failed_logins: number }>('SELECT failed_logins FROM users WHERE id = $1', [id])
    expect(row?.failed_logins).toBe(5)
  })

  it('lock the address that they come from, before anything is computed for it, and not for ever', async () => {
    const other = await startTestEngine()
    // what each hash has to pass
    const hashed = jest.spyOn(Turnstile.prototype, 'pass')
    const tryThere = () => http(other.url).post(session, { name: 'whoever', password: 'wrong' })
    for (let count = 0; count < 20; count++) expect((await tryThere()).status).toBe(401)
    hashed.mockClear()
    const refused = await tryThere()
    expect(refused).toMatchObject({ status: 429, body: problem('too-many-requests') })
    expect(Number(refused.headers.get('retry-after'))).toBeGreaterThan(20)
    expect(hashed).not.toHaveBeenCalled()
    hashed.mockRestore()
    await other.query(`UPDATE limit_counters SET locked_until = now()`)
    expect((await tryThere()).status).toBe(401)
    await other.stop()
  })

  it('from an address get no more guesses at once, at all replicas, than one after the other', async () => {
    const other = await startTestEngine()
    const replica = await other.replica()
    const urls = Array.from({ length: 40 }, (_, index) => (index % 2 ? other.url : replica.url))
    const answers = await Promise.all(
      urls.map((url, index) => http(url).post(session, { name: `nobody-${index}`, password: 'wrong' })),
    )
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(20)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(20)
    await replica.stop()
    await other.stop()
  })

  it('are no failures of the address where the password was right, was not looked at, or another site sent it', async () => {
    const other = await startTestEngine()
    const { name } = await makePerson(other)
    await other.query('DELETE FROM limit_counters')
    const send = (body: object, headers = {}) => http(other.url).post(session, body, { headers })
    expect((await send({ name, password: PASSWORD })).status).toBe(200)
    expect((await send({ name })).status).toBe(422)
    expect((await send({ name, password: PASSWORD }, { 'sec-fetch-site': 'cross-site' })).status).toBe(403)
    const counted = () => other.query<{ attempts: number }>('SELECT attempts FROM limit_counters')
    expect(await counted()).toEqual([{ attempts: 0 }])
    expect((await send({ name, password: 'wrong' })).status).toBe(401)
    expect(await counted()).toEqual([{ attempts: 1 }])
    await other.stop()
  })

  it('at changing a password count for the address too', async () => {
    const { browser } = await makePerson(engine)
    const count = async () =>
      (await engine.query<{ attempts: number }>('SELECT attempts FROM limit_counters'))[0]!.attempts
    const before = await count()
    await browser.put('/api/v1/session/password', { current: 'wrong', next: `${PASSWORD}!` })
    expect(await count()).toBe(before + 1)
  })
})
