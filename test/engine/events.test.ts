import { connect } from 'node:net'
import pg from 'pg'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'

let engine: TestEngine
const readers: SseReader[] = []

beforeAll(async () => {
  engine = await startTestEngine()
})
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close()
})
afterAll(async () => {
  await engine.stop()
})

async function follow(lastEventId?: string, query = ''): Promise<SseReader> {
  const reader = await SseReader.open(`${engine.url}/api/v1/events/stream${query}`, {
    token: engine.token,
    lastEventId,
  })
  readers.push(reader)
  return reader
}

const createHost = (name: string) => engine.http.post('/api/v1/hosts', { name })

/** An event in a transaction that commits when it is told to. */
async function openTransaction(marker: string): Promise<{ commit(): Promise<void> }> {
  const client = new pg.Client({ connectionString: engine.databaseUrl })
  await client.connect()
  await client.query('BEGIN')
  await client.query(
    `INSERT INTO events (incarnation, type, subject) SELECT max(number), 'hosts.host.updated', $1 FROM incarnations`,
    [marker],
  )
  return {
    commit: async () => {
      await client.query('COMMIT')
      await client.query(`SELECT pg_notify('keelson_events', 'new')`)
      await client.end()
    },
  }
}

describe('the event stream', () => {
  it('tells what happens from now on, each with its id', async () => {
    await createHost('before')
    const reader = await follow()
    await createHost('after')
    await eventually(() => expect(reader.messages).toHaveLength(1))
    expect(reader.messages[0]).toMatchObject({ event: 'hosts.host.registered', data: { payload: { name: 'after' } } })
    expect(reader.messages[0]?.id).toBe(reader.messages[0]?.data.id)
  })

  it('resumes after Last-Event-ID without a gap or a repetition', async () => {
    const first = await follow()
    await createHost('r1')
    await eventually(() => expect(first.messages).toHaveLength(1))
    first.close()
    await createHost('r2')
    await createHost('r3')
    const second = await follow(first.lastId)
    await eventually(() => expect(second.messages.map((m) => m.data.payload.name)).toEqual(['r2', 'r3']))
  })

  it('shows an event of a transaction that committed late after all, in its place', async () => {
    const reader = await follow()
    const slow = await openTransaction('slow')
    const fast = await openTransaction('fast')
    await fast.commit()
    await createHost('faster')
    expect(reader.messages).toEqual([])
    await slow.commit()
    await eventually(() =>
      expect(reader.messages.map((m) => m.data.payload.name ?? m.data.subject)).toEqual(['slow', 'fast', 'faster']),
    )
  })

  it('loses and repeats nothing over 500 changes of 8 writers whose transactions commit out of order, dropped and resumed', async () => {
    const seen: string[] = []
    let reader = await follow(undefined, '?type=hosts.host.updated')
    const drop = async () => {
      seen.push(...reader.messages.map((m) => m.data.subject))
      reader.close()
      reader = await follow(reader.place, '?type=hosts.host.updated')
    }
    await (await openTransaction('first')).commit()
    await eventually(() => expect(reader.messages.length).toBe(1))
    let n = 0
    const writer = async (w: number) => {
      while (n < 500) {
        const mine = [`w${w}-${n++}`, `w${w}-${n++}`]
        const open = await Promise.all(mine.map(openTransaction))
        for (const transaction of open.reverse()) await transaction.commit()
      }
    }
    const writing = Promise.all(Array.from({ length: 8 }, (_, w) => writer(w)))
    let done = false
    void writing.then(() => {
      done = true
    })
    while (!done) {
      const before = reader.messages.length
      await eventually(() => expect(done || reader.messages.length > before + 20).toBe(true), { timeoutMs: 20_000 })
      await drop()
    }
    await eventually(() => expect(seen.length + reader.messages.length).toBe(n + 1), { timeoutMs: 20_000 })
    const all = [...seen, ...reader.messages.map((m) => m.data.subject)]
    expect(new Set(all).size).toBe(all.length)
  })

  it('filters by type and by subject', async () => {
    const reader = await follow(undefined, '?type=hosts.host.updated')
    const { body } = await createHost('filtered')
    await engine.http.patch(`/api/v1/hosts/${body.id}`, { labels: { a: 'b' } })
    await eventually(() => expect(reader.messages.map((m) => m.event)).toEqual(['hosts.host.updated']))
  })

  it('says reset when the cursor is of a history that the database has lost', async () => {
    const reader = await follow('1-deadbeef.1.1')
    await eventually(() => expect(reader.messages).toMatchObject([{ event: 'reset' }]))
    await createHost('after-reset')
    await eventually(() => expect(reader.messages).toHaveLength(2))
  })

  it('goes on over a new incarnation of the database', async () => {
    const reader = await follow()
    await createHost('old-life')
    await engine.query(`INSERT INTO incarnations (cluster_id, reason) VALUES ('x', 'test')`)
    await createHost('new-life')
    await eventually(() => expect(reader.messages.map((m) => m.data.payload.name)).toEqual(['old-life', 'new-life']))
    const again = await follow(reader.messages[0]?.id)
    await eventually(() => expect(again.messages.map((m) => m.data.payload.name)).toEqual(['new-life']))
  })

  it('refuses a Last-Event-ID that is none of ours', async () => {
    const { response } = await follow('yesterday')
    expect(response.status).toBe(422)
  })

  it('does not gather memory for a reader that does not read', async () => {
    const { port } = new URL(engine.url)
    const socket = connect(Number(port), '127.0.0.1').pause()
    socket.write(`GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${engine.token}\r\n\r\n`)
    await engine.query(
      `INSERT INTO events (incarnation, type, subject, payload)
       SELECT (SELECT max(number) FROM incarnations), 'hosts.host.updated', 'bulk', jsonb_build_object('x', repeat('y', 2000))
       FROM generate_series(1, 20000)`,
    )
    const reader = await follow()
    const before = process.memoryUsage().heapUsed
    await createHost('while-stalled')
    await eventually(() => expect(reader.messages).toHaveLength(1))
    expect(process.memoryUsage().heapUsed - before).toBeLessThan(40 * 1_048_576)
    socket.destroy()
  })
})

describe('the event list', () => {
  it('goes through the log in pages with the cursors of the stream', async () => {
    // what was appended last may become readable between two reads
    await eventually(async () => {
      const { body: first } = await engine.http.get('/api/v1/events?limit=3')
      expect(first.items).toHaveLength(3)
      const { body: second } = await engine.http.get(`/api/v1/events?limit=500&cursor=${first.next}`)
      const { body: whole } = await engine.http.get('/api/v1/events?limit=500')
      expect([...first.items, ...second.items].slice(0, 500).map((e: { id: string }) => e.id)).toEqual(
        whole.items.map((e: { id: string }) => e.id),
      )
    })
  })

  it('answers 410 for a cursor of a lost history', async () => {
    const reply = await engine.http.get('/api/v1/events?cursor=1-deadbeef.1.1')
    expect(reply).toMatchObject({ status: 410, body: { type: 'urn:keelson:problem:cursor-lost' } })
  })
})
