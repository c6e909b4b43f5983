import { randomUUID } from 'node:crypto'
import { mkdtemp, readFile, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { DataSource } from 'typeorm'
import { dataSourceOptions } from '../../src/engine/data-source.js'
import { AuditChain } from '../../src/engine/identity/audit-chain.js'
import { Database } from '../../src/engine/platform/database.js'
import { freePort } from '../support/address.js'
import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { SEALING_KEY, startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { keelson, type TestProcess } from '../support/process.js'
import { chained, headOf, verified } from './support/audit.js'

const numbered = (from: number, to: number, at = 'clock_timestamp()') =>
  `INSERT INTO audit_unchained (incarnation, at, user_name, address, method, path, subjects, status)
   SELECT (SELECT max(number) FROM incarnations), ${at}, 'kim', '192.0.2.1', 'POST', '/' || n, '{}', 200
   FROM generate_series(${from}, ${to}) n`

describe('the chain', () => {
  let engine: TestEngine
  beforeEach(async () => {
    engine = await startTestEngine()
  })
  afterEach(() => engine?.stop())

  it('has each of 20 writers’ rows once, without a gap', async () => {
    const post = () => engine.http.post('/api/v1/hosts', { name: `h-${randomUUID()}` })
    const replies = await Promise.all(
      Array.from({ length: 20 }, async () => [await post(), await post(), await post()]),
    )
    expect(replies.flat().every(({ status }) => status === 201)).toBe(true)
    await chained(engine)
    const { body } = await engine.http.get('/api/v1/audit?limit=500&operation=hosts.create&sort=seq')
    expect(body.items.flatMap(({ subjects }: { subjects: string[] }) => subjects).sort()).toEqual(
      replies
        .flat()
        .map(({ body: host }) => `host/${host.id}`)
        .sort(),
    )
    const answer = await verified(engine, { limit: 7 })
    expect(answer).toMatchObject({ intact: true, fault: null, checked: body.items.at(-1).seq })
  })

  it('is one, whoever of two replicas writes it', async () => {
    const other = await startTestEngine({ databaseUrl: engine.databaseUrl })
    try {
      // the second has written itself another token, which ended the first
      const plane = { ...engine, http: http(engine.url, { token: other.token }) }
      const clients = [plane.http, other.http]
      for (let round = 0; round < 10; round++) {
        await engine.query(numbered(1, 700))
        await Promise.all(
          Array.from({ length: 10 }, (_, i) => clients[i % 2]!.post('/api/v1/hosts', { name: `h-${randomUUID()}` })),
        )
      }
      await chained(plane)
      const answer = await verified(plane)
      expect(answer).toMatchObject({ intact: true, checked: 7_100 })
      expect((await engine.query(`SELECT DISTINCT id FROM audit_entries`)).length).toBe(7_100)
    } finally {
      await other.stop()
    }
  })

  it('waits for a transaction that began before, so that its order is that of transactions', async () => {
    const client = new pg.Client({ connectionString: engine.databaseUrl })
    await client.connect()
    const dataSource = await new DataSource(dataSourceOptions(engine.databaseUrl, { poolSize: 2 })).initialize()
    const chain = new AuditChain(new Database(dataSource))
    await client.query('BEGIN')
    await client.query(numbered(1, 1))
    await engine.query(numbered(2, 2))
    // a writer of our own has its turn, and leaves the row where it is
    await eventually(async () => expect(await chain.append()).toBe(false))
    expect((await engine.http.get('/api/v1/audit')).body.items).toEqual([])
    await client.query('COMMIT')
    await client.end()
    await chained(engine)
    await dataSource.destroy()
    const { body } = await engine.http.get('/api/v1/audit?sort=seq')
    expect(body.items.map(({ path }: { path: string }) => path)).toEqual(['/1', '/2'])
  })
})

describe('verify', () => {
  let engine: TestEngine
  let head: string
  const seqs = { first: 1, middle: 40, last: 60 }
  beforeEach(async () => {
    engine = await startTestEngine()
    await engine.query(numbered(1, seqs.last))
    head = await headOf(engine)
  })
  afterEach(() => engine?.stop())

  it('finds nothing where nothing was done', async () => {
    expect(await verified(engine, { head })).toMatchObject({
      intact: true,
      fault: null,
      checked: seqs.last,
      to: head,
      head: 'matches',
    })
    await engine.query(numbered(1, 5))
    await chained(engine)
    expect(await verified(engine, { head, limit: 9 })).toMatchObject({ intact: true, checked: seqs.last + 5 })
  })

  it.each([
    ['path', `path = '/other'`],
    ['user_name', `user_name = 'robin'`],
    ['at', `at = at - interval '1 second'`],
    ['status', 'status = 403'],
    ['user_id', 'user_id = gen_random_uuid()'],
    ['subjects', `subjects = '{host/1}'`],
    ['request_id', `request_id = 'x'`],
    ['hash', `hash = repeat('a', 64)`],
    ['previous_hash', `previous_hash = repeat('a', 64)`],
  ])('finds a row whose %s was changed', async (_, change) => {
    await engine.query(`UPDATE audit_entries SET ${change} WHERE seq = 40`)
    const answer = await verified(engine)
    expect(answer).toMatchObject({ intact: false, fault: { kind: 'changed', seq: 40 }, checked: 39, next: null })
  })

  it('finds rows that were removed from the middle', async () => {
    await engine.query('DELETE FROM audit_entries WHERE seq IN (40, 41)')
    expect((await verified(engine)).fault).toEqual({ kind: 'removed', seq: 40, message: 'rows 40 to 41 are gone' })
  })

  it('finds that the rows after a removed one were moved up', async () => {
    await engine.query('DELETE FROM audit_entries WHERE seq = 40')
    await engine.query('UPDATE audit_entries SET seq = -seq WHERE seq > 40')
    await engine.query('UPDATE audit_entries SET seq = -seq - 1 WHERE seq < 0')
    expect((await verified(engine)).fault).toMatchObject({ kind: 'changed', seq: 40 })
  })

  it('finds two rows that were swapped', async () => {
    await engine.query('UPDATE audit_entries SET seq = CASE seq WHEN 40 THEN -50 ELSE -40 END WHERE seq IN (40, 50)')
    await engine.query('UPDATE audit_entries SET seq = -seq WHERE seq < 0')
    expect((await verified(engine)).fault).toEqual({
      kind: 'reordered',
      seq: 40,
      message: 'row 40 was written after row 49',
    })
  })

  it('finds by a head that the last rows were removed', async () => {
    await engine.query('DELETE FROM audit_entries WHERE seq > 55')
    expect(await verified(engine)).toMatchObject({ intact: true, checked: 55 })
    const answer = await verified(engine, { head })
    expect(answer.fault).toEqual({ kind: 'cut', seq: 56, message: 'rows 56 to 60 were there, and are gone' })
  })

  it('finds by a head that the last rows were removed and others were written after', async () => {
    await engine.query('DELETE FROM audit_entries WHERE seq > 55')
    await engine.query(numbered(1, 20))
    await chained(engine)
    expect(await verified(engine)).toMatchObject({ intact: true, checked: 75 })
    expect(await verified(engine, { head })).toMatchObject({ fault: { kind: 'rewritten', seq: 60 }, head: 'differs' })
  })

  it('finds by a head that the rows from one on were computed anew', async () => {
    await engine.query(`UPDATE audit_entries SET user_name = 'robin' WHERE seq = 40`)
    await rewriteFrom(engine, 40)
    expect(await verified(engine)).toMatchObject({ intact: true, checked: seqs.last })
    expect((await verified(engine, { head, limit: 13 })).fault).toMatchObject({ kind: 'rewritten', seq: 60 })
  })

  it('goes on from where it was, and finds what was removed there', async () => {
    const { body } = await engine.http.get('/api/v1/audit/verify?limit=30')
    expect(body).toMatchObject({ intact: true, checked: 30, next: body.to })
    await engine.query('DELETE FROM audit_entries WHERE seq >= 20')
    const { body: then } = await engine.http.get(`/api/v1/audit/verify?from=${body.next}`)
    expect(then.fault).toMatchObject({ kind: 'cut', seq: 20 })
  })

  it.each(['head=60', 'from=x', 'limit=0', 'limit=1000000'])('refuses %s', async (query) => {
    expect((await engine.http.get(`/api/v1/audit/verify?${query}`)).status).toBe(422)
  })
})

describe('retention', () => {
  let engine: TestEngine
  beforeEach(async () => {
    engine = await startTestEngine()
    // one batch, and a little of another
    await engine.query(numbered(1, 10_500, `now() - interval '400 days'`))
    await engine.query(numbered(1, 10))
    await eventually(() => chained(engine), { timeoutMs: 20_000 })
  })
  afterEach(() => engine?.stop())

  const count = async (): Promise<number> =>
    (await engine.query<{ n: number }>('SELECT count(*)::int AS n FROM audit_entries'))[0]?.n ?? 0

  it('removes what is old from the beginning on, and what is left can be verified', async () => {
    const { body: first } = await engine.http.get('/api/v1/audit/verify?limit=100')
    const head = await headOf(engine)
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'audit.retention'`)
    await eventually(async () => expect(await count()).toBe(12), { timeoutMs: 20_000 })
    await chained(engine)
    expect(await verified(engine, { head })).toMatchObject({ intact: true, checked: 12, head: 'matches' })
    expect(await verified(engine, { head: first.to })).toMatchObject({ intact: true, head: 'passed' })
    // who had begun before goes on with what is left
    expect((await engine.http.get(`/api/v1/audit/verify?from=${first.next}`)).body).toMatchObject({ intact: true })
    const { body } = await engine.http.get('/api/v1/audit?operation=audit.retention')
    expect(body.items).toMatchObject([{ userName: 'keelson' }, { userName: 'keelson' }])
  })

  it('is told from rows that somebody else removed from the beginning', async () => {
    await engine.query('INSERT INTO audit_anchors (seq, hash) SELECT seq, hash FROM audit_entries WHERE seq = 10490')
    await engine.query('DELETE FROM audit_entries WHERE seq <= 10490')
    expect((await verified(engine)).fault).toMatchObject({ kind: 'anchor', seq: 10_491 })
  })
})

describe('an engine that is killed', () => {
  let database: TestDatabase
  let directory: string
  let address: string
  beforeAll(async () => {
    database = await createTestDatabase()
    directory = await mkdtemp(join(tmpdir(), 'keelson-audit-'))
    address = `127.0.0.1:${await freePort()}`
  })
  afterAll(async () => {
    await database?.drop()
    await rm(directory, { recursive: true, force: true })
  })

  const start = async (): Promise<TestProcess> => {
    const engine = keelson(['engine'], {
      env: {
        DATABASE_URL: database.url,
        KEELSON_SEALING_KEYS: SEALING_KEY,
        KEELSON_BOOTSTRAP_TOKEN_FILE: join(directory, 'token'),
        KEELSON_HTTP: address,
        KEELSON_TCP: '127.0.0.1:0',
      },
    })
    await engine.line(/the engine serves/)
    return engine
  }

  it('leaves no change without its row, and no row without its change, twice or in another place', async () => {
    const client = new pg.Client({ connectionString: database.url })
    await client.connect()
    const query = async (sql: string) => (await client.query(sql)).rows
    const answered: string[] = []
    for (let round = 0; round < 3; round++) {
      // something to chain at the start, so that the writer is killed between batches as well
      await query(numbered(1, 4_000))
      const engine = await start()
      const token = (await readFile(join(directory, 'token'), 'utf8')).trim()
      const plane = http(`http://${address}`, { token })
      const writers = Array.from({ length: 10 }, async () => {
        for (;;) {
          const name = `h-${randomUUID()}`
          const reply = await plane.post('/api/v1/hosts', { name }).catch(() => null)
          if (!reply) return
          answered.push(name)
        }
      })
      await eventually(() => expect(answered.length).toBeGreaterThan(30 * (round + 1)))
      await engine.kill()
      await Promise.all(writers)
    }
    const last = await start()
    await eventually(async () => expect(await query('SELECT FROM audit_unchained LIMIT 1')).toEqual([]), {
      timeoutMs: 20_000,
    })
    const token = (await readFile(join(directory, 'token'), 'utf8')).trim()
    const { body } = await http(`http://${address}`, { token }).get('/api/v1/audit/verify')
    const hosts = await query(`SELECT name, 'host/' || id AS subject FROM hosts ORDER BY subject`)
    const rows = await query(
      `SELECT subjects[1] AS subject FROM audit_entries WHERE operation = 'hosts.create' AND status = 201 ORDER BY subject`,
    )
    last.signal('SIGTERM')
    await last.ended
    await client.end()
    expect(body).toMatchObject({ intact: true, checked: 12_000 + rows.length, next: null })
    expect(rows).toEqual(hosts.map(({ subject }) => ({ subject })))
    const names = new Set(hosts.map(({ name }) => name))
    expect(answered.filter((name) => !names.has(name))).toEqual([])
  }, 120_000)
})

/** What somebody does who knows the code, and has the database to himself. */
async function rewriteFrom(engine: TestEngine, seq: number): Promise<void> {
  const { hashOf } = await import('../../src/engine/identity/audit-hash.js')
  const { body } = await engine.http.get('/api/v1/audit?limit=500&sort=seq')
  let [{ hash }] = body.items.filter((row: { seq: number }) => row.seq === seq - 1)
  for (const row of body.items.filter((one: { seq: number }) => one.seq >= seq)) {
    const entry = { ...row, at: new Date(row.at), previousHash: hash }
    hash = hashOf(entry)
    await engine.query('UPDATE audit_entries SET previous_hash = $2, hash = $3 WHERE seq = $1', [
      row.seq,
      entry.previousHash,
      hash,
    ])
  }
}
