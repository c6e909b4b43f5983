import { createHash } from 'node:crypto'
import { removeExpiredIdempotencyKeys } from '../../src/engine/platform/idempotency-keys.js'
import { eventually } from '../support/eventually.js'
import { mischief, startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine
let keys = 0

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())
beforeEach(() => {
  mischief.creations = 0
  delete mischief.beforeCommit
  delete mischief.beforeReply
})

const nextKey = () => `key-${keys++}`
const post = (key: string, body: unknown, path = '/api/v1/toys') =>
  toys.client.post(path, body, { headers: { 'idempotency-key': key } })

async function rows(table: 'toys' | 'idempotency_keys', column: string, value: string): Promise<number> {
  const sql = `SELECT count(*)::int AS count FROM ${table} WHERE ${column} = $1`
  const found: { count: number }[] = await toys.database.dataSource.query(sql, [value])
  return found[0]?.count ?? -1
}

/** What the death of the process does to its transactions. */
async function killTransactions(): Promise<void> {
  const sql = `SELECT pg_terminate_backend(pid) FROM pg_stat_activity
    WHERE datname = current_database() AND state = 'idle in transaction' AND pid <> pg_backend_pid()`
  await toys.database.dataSource.query(sql)
}

describe('an Idempotency-Key', () => {
  it('gives a repeat the same reply, without doing it again', async () => {
    const key = nextKey()
    const first = await post(key, { name: 'one', colour: 'blue' })
    const again = await post(key, { colour: 'blue', name: 'one' })
    expect([first.status, again.status]).toEqual([201, 201])
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('location')).toBe(first.headers.get('location'))
    expect(again.headers.get('etag')).toBe('"g1"')
    expect([first.headers.get('idempotency-replayed'), again.headers.get('idempotency-replayed')]).toEqual([
      null,
      'true',
    ])
    expect(await rows('toys', 'name', 'one')).toBe(1)
  })

  it('holds over 20 parallel repeats', async () => {
    const key = nextKey()
    // the first gives the others every chance to begin as well
    mischief.beforeCommit = () =>
      eventually(() => expect(mischief.creations).toBeGreaterThan(1), { timeoutMs: 500 }).catch(() => {})
    const replies = await Promise.all(Array.from({ length: 20 }, () => post(key, { name: 'parallel' })))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([201]))
    expect(new Set(replies.map(({ body }) => JSON.stringify(body))).size).toBe(1)
    expect(replies.filter(({ headers }) => headers.get('idempotency-replayed')).length).toBe(19)
    expect([mischief.creations, await rows('toys', 'name', 'parallel')]).toEqual([1, 1])
  })

  it('belongs to one body and one query', async () => {
    const key = nextKey()
    await post(key, { name: 'mine' })
    const other = await post(key, { name: 'other' })
    expect(other.status).toBe(422)
    expect(other.body.type).toBe('urn:keelson:problem:idempotency-key-reused')
    expect(await rows('toys', 'name', 'other')).toBe(0)
  })

  it('keeps of a body nothing by which guesses at it could be tried', async () => {
    const key = nextKey()
    await post(key, { name: 'swordfish' })
    const sql = 'SELECT fingerprint FROM idempotency_keys WHERE key = $1'
    const [{ fingerprint }] = await toys.database.dataSource.query(sql, [key])
    expect(fingerprint).toMatch(/^mac:1:[0-9a-f]{16}:[\w-]{43}$/)
    const plain = createHash('sha256').update('[{},{"name":"swordfish"}]').digest('base64url')
    expect(fingerprint).not.toContain(plain)
  })

  it('that was used under a sealing key which is gone is refused, and not carried out again', async () => {
    const key = nextKey()
    await post(key, { name: 'sealed-before' })
    const sql = `UPDATE idempotency_keys SET fingerprint = overlay(fingerprint placing 'feedfeedfeedfeed' from 7) WHERE key = $1`
    await toys.database.dataSource.query(sql, [key])
    expect((await post(key, { name: 'sealed-before' })).body.type).toBe('urn:keelson:problem:idempotency-key-reused')
    expect(await rows('toys', 'name', 'sealed-before')).toBe(1)
  })

  it('of one path is not that of another', async () => {
    const key = nextKey()
    await post(key, { name: 'here' })
    expect((await post(key, { name: 'here' }, '/odd/request-id')).status).toBe(200)
  })

  it('keeps a refusal of the handler as well, and nothing of what the handler did before', async () => {
    const key = nextKey()
    const first = await post(key, { name: 'taken' })
    const again = await post(key, { name: 'taken' })
    expect([first.status, again.status]).toEqual([409, 409])
    expect(again.body).toEqual(first.body)
    expect(again.headers.get('idempotency-replayed')).toBe('true')
    expect(mischief.creations).toBe(1)
  })

  it('is not used up by bad input', async () => {
    const key = nextKey()
    expect((await post(key, { name: 7 })).status).toBe(422)
    expect((await post(key, { name: 'corrected' })).status).toBe(201)
  })

  it('is not used up by a fault of ours, which leaves no effect', async () => {
    const key = nextKey()
    mischief.beforeCommit = () => Promise.reject(new Error('boom'))
    expect((await post(key, { name: 'fragile' })).status).toBe(500)
    expect(await rows('toys', 'name', 'fragile')).toBe(0)
    delete mischief.beforeCommit
    expect((await post(key, { name: 'fragile' })).status).toBe(201)
    expect(await rows('toys', 'name', 'fragile')).toBe(1)
  })

  it.each(['beforeCommit', 'beforeReply'] as const)(
    'stands or falls with the effect when the engine dies %s',
    async (moment) => {
      const key = nextKey()
      const name = `cut ${moment}`
      mischief[moment] = async () => {
        delete mischief[moment]
        await killTransactions()
      }
      const broken = await post(key, { name })
      expect([broken.status, broken.body.type]).toEqual([503, 'urn:keelson:problem:database-unavailable'])
      expect([await rows('toys', 'name', name), await rows('idempotency_keys', 'key', key)]).toEqual([0, 0])
      expect((await post(key, { name })).status).toBe(201)
      expect([await rows('toys', 'name', name), await rows('idempotency_keys', 'key', key)]).toEqual([1, 1])
    },
  )

  it.each([[''], ['a'.repeat(256)], ['two words'], ['é']])('is refused as %s', async (key) => {
    expect((await post(key, { name: 'a' })).status).toBe(400)
  })

  it('is kept for 24 hours', async () => {
    const [old, young] = [nextKey(), nextKey()]
    await post(old, { name: 'aged' })
    await post(young, { name: 'aged' })
    const age = (key: string, hours: number) =>
      toys.database.dataSource.query(
        `UPDATE idempotency_keys SET created_at = now() - make_interval(hours => $2) WHERE key = $1`,
        [key, hours],
      )
    await Promise.all([age(old, 25), age(young, 23)])
    expect((await post(old, { name: 'reborn' })).status).toBe(201)
    await age(old, 25)
    await removeExpiredIdempotencyKeys(toys.database)
    expect([await rows('idempotency_keys', 'key', old), await rows('idempotency_keys', 'key', young)]).toEqual([0, 1])
  })
})
