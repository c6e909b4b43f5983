import { randomUUID } from 'node:crypto'
import { request as httpRequest } from 'node:http'
import pg from 'pg'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { http, type RequestOptions } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { chained, rowsOf } from './support/audit.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine({ trustedProxies: ['127.0.0.2', '10.0.0.0/8'] })
})
afterAll(() => engine?.stop())

/** A request under an id of its own, and the one row that it left. */
async function left(send: (options: RequestOptions) => Promise<{ status: number; body: { id?: string } }>) {
  const requestId = randomUUID()
  const reply = await send({ headers: { 'x-request-id': requestId } })
  const [row] = await rowsOf(engine, requestId)
  expect(row).toMatchObject({ status: reply.status, requestId })
  return { ...row, reply }
}

const uniqueName = () => `host-${randomUUID().slice(0, 8)}`
const nobody = '00000000-0000-4000-8000-00000000dead'
const count = async (where: string): Promise<number> =>
  (await engine.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${where}`))[0]?.n ?? Number.NaN

describe('a row of the audit log', () => {
  it('says who asked for what, from where, and how it was answered', async () => {
    const row = await left((options) => engine.http.post('/api/v1/hosts', { name: uniqueName() }, options))
    const [token] = await engine.query('SELECT id, user_id FROM api_tokens')
    expect(row).toMatchObject({
      userId: token?.user_id,
      tokenId: token?.id,
      userName: 'bootstrap (token bootstrap)',
      address: '127.0.0.1',
      operation: 'hosts.create',
      method: 'POST',
      path: '/api/v1/hosts',
      subjects: [`host/${row.reply.body.id}`],
      projectId: null,
      status: 201,
      problem: null,
      corrects: null,
    })
    expect(Math.abs(Date.now() - Date.parse(row.at))).toBeLessThan(10_000)
  })

  it('is left by each kind of change, with what it was about', async () => {
    const { reply } = await left((options) => engine.http.post('/api/v1/hosts', { name: uniqueName() }, options))
    const host = `/api/v1/hosts/${reply.body.id}`
    const changed = await left((options) => engine.http.patch(host, { labels: { a: 'b' } }, options))
    expect(changed).toMatchObject({ operation: 'hosts.update', subjects: [`host/${reply.body.id}`], status: 200 })
    const put = await left((options) =>
      engine.http.put(`${host}/storage-connections/a`, { uri: 'local:///srv' }, options),
    )
    expect(put).toMatchObject({ status: 202, subjects: [`storage-connection/${reply.body.id}/a`] })
    const set = await left((options) => engine.http.put('/api/v1/settings/hosts.returnGraceMs', { value: 1 }, options))
    expect(set).toMatchObject({ operation: 'settings.put', subjects: ['setting/hosts.returnGraceMs'] })
    const other = await left((options) => engine.http.post('/api/v1/hosts', { name: uniqueName() }, options))
    const gone = await left((options) => engine.http.delete(`/api/v1/hosts/${other.reply.body.id}`, options))
    expect(gone).toMatchObject({ operation: 'hosts.delete', method: 'DELETE', status: 204 })
  })

  it.each([
    ['nobody', 401, 'unauthenticated', {}, 'anonymous'],
    ['a bad token', 401, 'unauthenticated', { authorization: 'Bearer kst_none' }, 'anonymous'],
  ])('is left by %s who is refused', async (_, status, problem, headers, userName) => {
    const row = await left((options) =>
      http(engine.url).post('/api/v1/hosts', { name: 'a' }, { headers: { ...headers, ...options.headers } }),
    )
    expect(row).toMatchObject({ status, problem, operation: 'hosts.create', userId: null, userName })
  })

  it('is left by somebody who may not', async () => {
    const viewer = await tokenOf('viewer')
    const row = await left((options) => http(engine.url, { token: viewer.token }).post('/api/v1/hosts', {}, options))
    expect(row).toMatchObject({ status: 403, problem: 'forbidden', operation: 'hosts.create', userId: viewer.userId })
  })

  it.each([
    ['bad input', 422, 'invalid', () => '/api/v1/hosts', { name: 7 }, 'hosts.create'],
    [
      'a thing that is not there',
      404,
      'not-found',
      () => `/api/v1/hosts/${nobody}/activate`,
      undefined,
      'hosts.activate',
    ],
    ['no JSON', 400, 'malformed-body', () => '/api/v1/hosts', '{', 'hosts.create'],
  ])('is left by %s', async (_, status, problem, path, body, operation) => {
    const row = await left((options) => engine.http.post(path(), body, options))
    expect(row).toMatchObject({ status, problem, operation, userName: 'bootstrap (token bootstrap)' })
  })

  it('is left by a path that is none, and by one that cannot be read', async () => {
    const lost = await left((options) => engine.http.post('/api/v1/nothing', {}, { ...options, undocumented: true }))
    expect(lost).toMatchObject({ status: 404, problem: 'route-not-found', operation: null, path: '/api/v1/nothing' })
    const broken = await left((options) => engine.http.post('/api/v1/%zz', {}, { ...options, undocumented: true }))
    expect(broken).toMatchObject({ status: 400, problem: 'bad-request', operation: null })
  })

  it('is left by a conflict, and by no GET', async () => {
    const name = uniqueName()
    await engine.http.post('/api/v1/hosts', { name })
    expect(await left((options) => engine.http.post('/api/v1/hosts', { name }, options))).toMatchObject({
      status: 409,
      problem: 'name-taken',
    })
    const requestId = randomUUID()
    await engine.http.get('/api/v1/hosts', { headers: { 'x-request-id': requestId } })
    await chained(engine)
    expect(await count(`audit_entries WHERE request_id = '${requestId}'`)).toBe(0)
  })

  it('never has what a body or a query carried', async () => {
    await left((options) => engine.http.post('/api/v1/hosts?secret=xq7yq7', { name: 'a', other: 'xq8yq8' }, options))
    const [{ text } = { text: '' }] = await engine.query(`SELECT string_agg(e::text, '') AS text FROM audit_entries e`)
    expect(text).not.toMatch(/xq7yq7|xq8yq8/)
  })

  it('is one, however often a request with an Idempotency-Key is repeated', async () => {
    const headers = { 'idempotency-key': randomUUID(), 'x-request-id': randomUUID() }
    const body = { name: uniqueName() }
    const replies = await Promise.all(
      Array.from({ length: 8 }, () => engine.http.post('/api/v1/hosts', body, { headers })),
    )
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]))
    await chained(engine)
    expect(await rowsOf(engine, headers['x-request-id'])).toMatchObject([{ status: 201 }])
  })

  it('tells the refusal that an Idempotency-Key keeps', async () => {
    const name = uniqueName()
    await engine.http.post('/api/v1/hosts', { name })
    const headers = { 'idempotency-key': randomUUID(), 'x-request-id': randomUUID() }
    for (let time = 0; time < 3; time++) await engine.http.post('/api/v1/hosts', { name }, { headers })
    await chained(engine)
    expect(await rowsOf(engine, headers['x-request-id'])).toMatchObject([{ status: 409, problem: 'name-taken' }])
  })

  it('is one also where the transaction was tried again after a deadlock', async () => {
    await engine.query(`CREATE SEQUENCE deadlocks`)
    await engine.query(`CREATE FUNCTION deadlock() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      IF nextval('deadlocks') < 3 THEN RAISE EXCEPTION 'deadlock' USING ERRCODE = '40P01'; END IF; RETURN NULL; END $$`)
    await engine.query(`CREATE CONSTRAINT TRIGGER deadlock AFTER INSERT ON hosts DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION deadlock()`)
    const row = await left((options) => engine.http.post('/api/v1/hosts', { name: uniqueName() }, options))
    await engine.query('DROP FUNCTION deadlock CASCADE')
    expect(row.status).toBe(201)
    expect((await engine.query<{ last_value: number }>('SELECT last_value::int FROM deadlocks'))[0]?.last_value).toBe(3)
  })
})

describe('a change and its row', () => {
  it('are of one transaction', async () => {
    const client = new pg.Client({ connectionString: engine.databaseUrl })
    await client.connect()
    try {
      // while this is open no row has its place
      await client.query('BEGIN; SELECT pg_current_xact_id()')
      const { body } = await engine.http.post('/api/v1/hosts', { name: uniqueName() })
      const [row] = await engine.query('SELECT xid FROM audit_unchained WHERE subjects = $1', [[`host/${body.id}`]])
      const [host] = await engine.query('SELECT xmin::text::bigint AS xid FROM hosts WHERE id = $1', [body.id])
      expect(row).toEqual(host)
    } finally {
      await client.end()
    }
  })

  it('are both not there when the engine dies between them', async () => {
    await engine.query(`CREATE FUNCTION die() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      PERFORM pg_terminate_backend(pg_backend_pid()); RETURN NEW; END $$`)
    await engine.query(
      'CREATE TRIGGER die BEFORE INSERT ON audit_unchained FOR EACH ROW WHEN (NEW.status = 201) EXECUTE FUNCTION die()',
    )
    const name = uniqueName()
    const row = await left((options) => engine.http.post('/api/v1/hosts', { name }, options))
    await engine.query('DROP FUNCTION die CASCADE')
    expect(row).toMatchObject({ status: 503, problem: 'database-unavailable' })
    expect(await count(`hosts WHERE name = '${name}'`)).toBe(0)
  })

  it('are both not there when the commit fails', async () => {
    const requestId = randomUUID()
    await engine.query(`CREATE FUNCTION late() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      RAISE EXCEPTION 'too late'; END $$`)
    await engine.query(`CREATE CONSTRAINT TRIGGER late AFTER INSERT ON hosts DEFERRABLE INITIALLY DEFERRED
      FOR EACH ROW EXECUTE FUNCTION late()`)
    const name = uniqueName()
    const reply = await engine.http.post('/api/v1/hosts', { name }, { headers: { 'x-request-id': requestId } })
    await engine.query('DROP FUNCTION late CASCADE')
    expect(reply.status).toBe(500)
    // the commit failed: nothing was changed, and the row of the change is not there either
    expect(await rowsOf(engine, requestId)).toMatchObject([{ status: 500, problem: 'internal', corrects: null }])
  })
})

describe('a change that was made and could not be answered', () => {
  it('has a second row, which names the first', async () => {
    const requestId = randomUUID()
    // no view can show such a time
    await engine.query(`CREATE FUNCTION odd() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN
      NEW.created_at = 'infinity'; RETURN NEW; END $$`)
    await engine.query('CREATE TRIGGER odd BEFORE INSERT ON hosts FOR EACH ROW EXECUTE FUNCTION odd()')
    const name = uniqueName()
    const reply = await engine.http.post('/api/v1/hosts', { name }, { headers: { 'x-request-id': requestId } })
    await engine.query('DROP FUNCTION odd CASCADE')
    expect(reply.status).toBe(500)
    const [made, told] = await rowsOf(engine, requestId, 2)
    expect(made).toMatchObject({ status: 201, corrects: null })
    expect(told).toMatchObject({ status: 500, problem: 'internal', corrects: made.id, subjects: made.subjects })
    expect(await count(`hosts WHERE name = '${name}'`)).toBe(1)
  })
})

describe('the address in a row', () => {
  const from = (localAddress: string, forwarded: string): Promise<string> => {
    const requestId = randomUUID()
    return new Promise<void>((resolve, reject) => {
      const headers = { 'x-forwarded-for': forwarded, 'x-request-id': requestId }
      const sent = httpRequest(`${engine.url}/api/v1/hosts`, { method: 'POST', localAddress, headers })
      sent.on('response', (reply) => reply.resume().on('end', resolve)).on('error', reject)
      sent.end()
    }).then(async () => (await rowsOf(engine, requestId))[0].address)
  }

  it.each([
    ['that of the connection where a stranger says otherwise', '127.0.0.3', '192.0.2.1', '127.0.0.3'],
    ['what a trusted proxy says', '127.0.0.2', '192.0.2.1', '192.0.2.1'],
    ['the last one that no trusted proxy has', '127.0.0.2', '192.0.2.1, 198.51.100.7, 10.1.2.3', '198.51.100.7'],
    ['that of the proxy where it passes on no address', '127.0.0.2', 'what I like', '127.0.0.2'],
  ])('is %s', async (_, localAddress, forwarded, expected) => {
    expect(await from(localAddress, forwarded)).toBe(expected)
  })
})

describe('the list', () => {
  it('is filtered by user, operation, subject, outcome, project and time', async () => {
    const { reply, at } = await left((options) => engine.http.post('/api/v1/hosts', { name: uniqueName() }, options))
    await left((options) => engine.http.post(`/api/v1/hosts/${reply.body.id}/activate`, undefined, options))
    const listed = async (query: string) => (await engine.http.get(`/api/v1/audit?${query}`)).body.items
    const about = `subject=host/${reply.body.id}`
    expect(await listed(about)).toHaveLength(2)
    expect(await listed(`${about}&operation=hosts.create`)).toHaveLength(1)
    expect(await listed(`${about}&outcome=refused`)).toMatchObject([{ status: 409 }])
    expect(await listed(`${about}&outcome=refused&outcome=succeeded`)).toHaveLength(2)
    expect(await listed(`${about}&outcome=failed`)).toEqual([])
    expect(await listed(`${about}&user=bootstrap (token bootstrap)`)).toHaveLength(2)
    expect(await listed(`${about}&user=${nobody}`)).toEqual([])
    expect(await listed(`${about}&project=${nobody}`)).toEqual([])
    expect(await listed(`${about}&from=${at}`)).toHaveLength(2)
    expect(await listed(`${about}&to=${at}`)).toEqual([])
  })

  it('comes in pages, newest first', async () => {
    await chained(engine)
    const first = (await engine.http.get('/api/v1/audit?limit=2')).body
    const second = (await engine.http.get(`/api/v1/audit?limit=2&cursor=${first.next}`)).body
    const [newest = 0, ...older] = [...first.items, ...second.items].map(({ seq }: { seq: number }) => seq)
    expect(older).toEqual([newest - 1, newest - 2, newest - 3])
  })

  it.each(['from=yesterday', 'to=2026-02-30T00:00:00Z', 'outcome=odd', 'project=x'])('refuses %s', async (query) => {
    expect((await engine.http.get(`/api/v1/audit?${query}`)).status).toBe(422)
  })

  it('is for administrators of the plane', async () => {
    const { token } = await tokenOf('operator')
    for (const path of ['', '/head', '/verify']) {
      expect((await http(engine.url, { token }).get(`/api/v1/audit${path}`)).status).toBe(403)
    }
  })
})

it('has no row of what hosts report', async () => {
  const hello = helloOf(uniqueName())
  const say = async () => {
    const agent = await WireAgent.open(engine.tcp, hello)
    await agent.close()
    agent.vanish()
    await chained(engine)
  }
  // the first time it joins, which is a call
  await say()
  const before = await count('audit_entries')
  await say()
  expect(await count('audit_entries')).toBe(before)
})

/** A token that may do what the role allows, of the administrator's own. */
async function tokenOf(role: 'viewer' | 'operator'): Promise<{ token: string; userId: string }> {
  const { hashOf, newSecret, writeCredential } = await import('../../src/engine/identity/secrets.js')
  const [id, secret] = [randomUUID(), newSecret()]
  const [row] = await engine.query<{ user_id: string }>(
    `INSERT INTO api_tokens (id, user_id, name, secret_hash, role) SELECT $1, id, $2, $3, $2 FROM users LIMIT 1
     RETURNING user_id`,
    [id, role, hashOf(secret)],
  )
  return { token: writeCredential('kst', { id, secret }), userId: row?.user_id ?? '' }
}
