import { createTestDatabase } from '../support/database.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { makePerson } from '../support/people.js'
import { A_SECOND } from '../support/soon.js'
import { secretOf } from './support/secret-field.js'

const lines: string[] = []
const output = { write: (line: string) => void lines.push(line) }
let one: TestEngine
let other: TestEngine
let drop: () => Promise<void>

beforeAll(async () => {
  const database = await createTestDatabase()
  drop = () => database.drop()
  const start = (replicaName: string) =>
    startTestEngine({ databaseUrl: database.url, replicaName, logLevel: 'debug' }, output)
  const started = await Promise.all([start('one'), start('other')])
  // of their two bootstrap tokens the one that was written last is good, at both
  const tokens = await Promise.all(
    started.map(async ({ token, http: own }) => ({ token, good: (await own.get('/api/v1/session')).status === 200 })),
  )
  const { token } = tokens.find(({ good }) => good)!
  ;[one, other] = started.map((engine) => ({ ...engine, token, http: http(engine.url, { token }) })) as [
    TestEngine,
    TestEngine,
  ]
})
afterAll(async () => {
  await one?.stop()
  await other?.stop()
  await drop?.()
})

const within = { timeoutMs: A_SECOND }
/** Asked all the time, so that the other replica remembers who it is. */
const endsThere = (ask: () => Promise<{ status: number }>) =>
  eventually(async () => expect((await ask()).status).toBe(401), within)

describe('two replicas', () => {
  it('that start together make one first administrator, whose password is printed once', async () => {
    const people = await one.query(`SELECT name, must_change_password FROM users WHERE kind = 'person'`)
    expect(people).toEqual([{ name: 'admin', must_change_password: true }])
    const printed = lines.filter((line) => line.includes('one-time password'))
    expect(printed).toHaveLength(1)
    expect(printed[0]).toMatch(/\b[a-z2-9]{5}(-[a-z2-9]{5}){4}\b/)
  })

  it('both refuse a revoked token within a second', async () => {
    const { browser } = await makePerson(one, { role: 'viewer' })
    const { id, token } = (await browser.post('/api/v1/tokens', { name: 'short-lived' })).body
    const there = () => http(other.url, { token }).get('/api/v1/hosts')
    expect((await there()).status).toBe(200)
    await browser.delete(`/api/v1/tokens/${id}`)
    await endsThere(there)
  })

  it('both refuse a session that has signed out, and one of a disabled user, within a second', async () => {
    for (const end of ['sign-out', 'disable']) {
      const { id, browser } = await makePerson(one)
      const { cookie } = browser
      const there = () => http(other.url).get('/api/v1/session', { headers: { cookie } })
      expect((await there()).status).toBe(200)
      if (end === 'disable') await one.http.patch(`/api/v1/users/${id}`, { disabled: true })
      else await browser.delete('/api/v1/session')
      await endsThere(there)
    }
  })

  it('count failed sign-ins together', async () => {
    const { id, name } = await makePerson(one)
    for (const { url } of [one, other, one, other, one]) {
      await http(url).post('/api/v1/session', { name, password: 'wrong' })
    }
    const [row] = await one.query('SELECT locked_until IS NOT NULL AS locked FROM users WHERE id = $1', [id])
    expect(row).toEqual({ locked: true })
  })
})

it('no password or token is in any row, or in any line of the log but the one that gives the first', async () => {
  const { id, name, browser } = await makePerson(one, { role: 'admin' })
  const canary = 'canary-of-the-password'
  const headers = { 'idempotency-key': 'canary' }
  const given = (await one.http.post(`/api/v1/users/${id}/reset-password`, undefined, { headers })).body.oneTimePassword
  await browser.signIn(name, given)
  await browser.put('/api/v1/session/password', { current: given, next: canary })
  await browser.signIn(name, `${canary}-wrong`)
  const { token } = (await browser.post('/api/v1/tokens', { name: 'mine' }, { headers })).body
  const secrets = [given, canary, token, secretOf(token), browser.cookies.get('keelson_session')!]
  const tables = await one.query<{ name: string }>(
    `SELECT table_name AS name FROM information_schema.tables WHERE table_schema = 'public'`,
  )
  const rows = await Promise.all(
    tables.map(({ name: table }) => one.query<{ text: string }>(`SELECT t::text AS text FROM "${table}" t`)),
  )
  const everything = [...lines, ...rows.flat().map(({ text }) => text)].join('\n')
  for (const secret of secrets) expect(everything).not.toContain(secret)
})
