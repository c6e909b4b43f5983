import type { Body, HttpReply } from '../support/http.js'
import { startToys, Toy, type ToyEngine } from './support/toy.js'

let toys: ToyEngine

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())
beforeEach(async () => {
  await toys.database.dataSource.query('TRUNCATE toys')
})

/** Names repeat, every fourth has no weight, and many are made within the same millisecond. */
async function make(count: number, prefix = ''): Promise<void> {
  await toys.database.dataSource.query(
    `INSERT INTO toys (name, colour, weight, created_at)
     SELECT $2 || (n % 37), CASE WHEN n % 2 = 0 THEN 'red' ELSE 'blue' END, CASE WHEN n % 4 = 0 THEN NULL ELSE n % 11 END,
       timestamptz '2026-01-01' + n % 500 * interval '1 microsecond'
     FROM generate_series(1, $1::int) n`,
    [count, prefix],
  )
}

interface Walked {
  readonly items: { id: string; name: string; weight: number | null }[]
  readonly pages: number
}

async function walk(query: string, between: () => Promise<void> = async () => {}): Promise<Walked> {
  const items: Walked['items'] = []
  let cursor: string | null = null
  for (let pages = 1; ; pages++) {
    const { status, body }: HttpReply<Body> = await toys.client.get(
      `/api/v1/toys?${query}${cursor ? `&cursor=${cursor}` : ''}`,
    )
    if (status !== 200) throw new Error(JSON.stringify(body))
    items.push(...body.items)
    cursor = body.next
    if (!cursor) return { items, pages }
    await between()
  }
}

describe('a list', () => {
  it.each([
    ['name', 'name, id'],
    ['-name', 'name DESC, id'],
    ['-createdAt,-id', 'created_at DESC, id DESC'],
    ['createdAt', 'created_at, id'],
    ['weight', 'weight, id'],
    ['-weight', 'weight DESC, id'],
    ['colour,-weight,name', 'colour, weight DESC, name, id'],
    ['-weight,-name,-id', 'weight DESC, name DESC, id DESC'],
    ['id', 'id'],
  ])('sorted by %s gives each of 1,000 rows once, in order', async (sort, order) => {
    await make(1_000)
    const { items, pages } = await walk(`limit=83&sort=${sort}`)
    const rows: { id: string }[] = await toys.database.dataSource.query(`SELECT id FROM toys ORDER BY ${order}`)
    expect(items.map(({ id }) => id)).toEqual(rows.map(({ id }) => id))
    expect(pages).toBe(13)
  })

  it('hides and repeats none of the rows that were there, whatever is added and removed meanwhile', async () => {
    await make(1_000)
    const before: { id: string }[] = await toys.database.dataSource.query('SELECT id FROM toys')
    await make(1_000, 'doomed')
    const { items } = await walk('limit=50&sort=name', async () => {
      await make(25, 'later')
      await make(25)
      await toys.database.dataSource.query(
        `DELETE FROM toys WHERE id IN (SELECT id FROM toys WHERE name LIKE 'doomed%' LIMIT 100)`,
      )
    })
    const seen = items.map(({ id }) => id)
    expect(new Set(seen).size).toBe(seen.length)
    expect(before.filter(({ id }) => !seen.includes(id))).toEqual([])
  })

  it('is filtered by one value or several', async () => {
    await make(10)
    await toys.database.dataSource.manager.insert(Toy, { name: 'x', colour: 'green', weight: null })
    expect((await walk('colour=red&limit=3')).items).toHaveLength(5)
    expect((await walk('colour=red&colour=blue&limit=3')).items).toHaveLength(10)
    expect((await walk('limit=3')).items).toHaveLength(11)
  })

  it('is empty, with no page after it', async () => {
    expect((await toys.client.get('/api/v1/toys')).body).toEqual({ items: [], next: null })
  })

  it('ends with the last full page', async () => {
    await make(6)
    expect(await walk('limit=3')).toMatchObject({ pages: 2, items: { length: 6 } })
  })

  it('gives 50 when nothing is said and 500 at most', async () => {
    await make(600)
    expect((await toys.client.get('/api/v1/toys')).body.items).toHaveLength(50)
    expect((await toys.client.get('/api/v1/toys?limit=500')).body.items).toHaveLength(500)
  })

  it('refuses a cursor of another sort, and one that was made up', async () => {
    await make(10)
    const { body } = await toys.client.get('/api/v1/toys?limit=3&sort=name')
    const forged = (content: unknown) => Buffer.from(JSON.stringify(content)).toString('base64url')
    const queries = [
      `sort=-name&cursor=${body.next}`,
      `cursor=${body.next}`,
      `sort=name&cursor=${forged({ s: 'name,id', v: ['a'] })}`,
      `sort=name&cursor=${forged({ s: 'name,id', v: ['a', 'no uuid'] })}`,
      `sort=name&cursor=${forged({ s: 'name,id', v: ['a', null] })}`,
      `sort=name&cursor=${forged({ s: 'name,id', v: ['a\0', '00000000-0000-4000-8000-000000000000'] })}`,
      `sort=name&cursor=${forged({ s: 'name,id', v: [{}, []] })}`,
      `sort=name&cursor=${forged(null)}`,
      'cursor=%F0%9F%98%80',
      'cursor=',
    ]
    for (const query of queries) {
      const { status, body: problem } = await toys.client.get(`/api/v1/toys?${query}`)
      expect([query, status, problem.faults?.[0]?.field]).toEqual([query, 422, 'cursor'])
    }
  })
})
