import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'

let engine: TestEngine
const readers: SseReader[] = []

beforeEach(async () => {
  engine = await startTestEngine()
})
afterEach(async () => {
  for (const reader of readers.splice(0)) reader.close()
  await engine.stop()
})

async function follow(lastEventId?: string, query = ''): Promise<SseReader> {
  const reader = await SseReader.open(`${engine.url}/api/v1/events/stream${query}`, {
    token: engine.token,
    lastEventId,
  })
  readers.push(reader)
  await eventually(() => expect(reader.place).toBeDefined())
  return reader
}

const createHost = async (name: string): Promise<string> => (await engine.http.post('/api/v1/hosts', { name })).body.id
const names = (reader: SseReader): string[] => reader.messages.map(({ data }) => data.payload?.name ?? data.reason)

/** Events that no request causes. */
const append = (count: number) =>
  engine.query(
    `INSERT INTO events (incarnation, type, subject, payload) SELECT 1, 'hosts.host.updated', 'bulk', jsonb_build_object('name', n)
     FROM generate_series(1, $1::int) n`,
    [count],
  )

/** The id of the event of this host, readable once no older transaction of the whole server is open. */
async function idOf(name: string): Promise<string> {
  return eventually(async () => {
    const { body } = await engine.http.get('/api/v1/events?limit=500')
    const event = body.items.find(({ payload }: { payload: { name?: string } }) => payload.name === name)
    if (!event) throw new Error(`the event of ${name} cannot be read yet`)
    return event.id
  })
}

describe('the place of a reader', () => {
  it('is told from the first moment, also while the log is empty, and is good to resume from', async () => {
    const first = await follow()
    first.close()
    await createHost('a')
    const second = await follow(first.place)
    await eventually(() => expect(names(second)).toEqual(['a']))
  })

  it('moves on with comments past events that its filter leaves out', async () => {
    const reader = await follow(undefined, '?type=hosts.host.deleted')
    const id = await createHost('a')
    const passed = await idOf('a')
    await eventually(() => expect(reader.place).toBe(passed), { timeoutMs: 20_000 })
    expect(reader.messages).toEqual([])
    reader.close()
    await engine.http.delete(`/api/v1/hosts/${id}`)
    const again = await follow(reader.place, '?type=hosts.host.deleted')
    await eventually(() => expect(again.messages.map(({ event }) => event)).toEqual(['hosts.host.deleted']))
  })

  it('is found however many events that it leaves out lie behind it', async () => {
    await createHost('before')
    const start = await idOf('before')
    await append(12_000)
    await createHost('after')
    const reader = await follow(start, '?type=hosts.host.registered')
    await eventually(() => expect(names(reader)).toEqual(['after']))
  })
})

describe('a reader with a filter', () => {
  it('is sent what fits once it has caught up, by type, subject and host, however that is spelled', async () => {
    const [a, b] = [await createHost('a'), await createHost('b')]
    await idOf('b')
    const byType = await follow(undefined, '?type=hosts.host.deleted')
    const bySubject = await follow(undefined, `?subject=host/${a}`)
    const byHost = await follow(undefined, `?hostId=${b.toUpperCase()}`)
    for (const id of [a, b]) await engine.http.patch(`/api/v1/hosts/${id}`, { labels: { x: 'y' } })
    await engine.http.delete(`/api/v1/hosts/${b}`)
    const events = (reader: SseReader) => reader.messages.map(({ event, data }) => [event, data.hostId])
    await eventually(() => expect(events(byType)).toEqual([['hosts.host.deleted', b]]))
    await eventually(() => expect(events(bySubject)).toEqual([['hosts.host.updated', a]]))
    await eventually(() =>
      expect(events(byHost)).toEqual([
        ['hosts.host.updated', b],
        ['hosts.host.deleted', b],
      ]),
    )
  })
})

describe('many readers', () => {
  it('cost the database hardly more than one, once they have caught up', async () => {
    const scans = async () =>
      (
        await engine.query<{ scans: number }>(
          `SELECT idx_scan::int AS scans FROM pg_stat_user_tables WHERE relname = 'events'`,
        )
      )[0]?.scans ?? 0
    const all = await Promise.all(Array.from({ length: 100 }, () => follow()))
    const before = await scans()
    const expected = Array.from({ length: 20 }, (_, n) => `h${n}`)
    for (const [n, name] of expected.entries()) {
      await createHost(name)
      await eventually(() => expect(all.every(({ messages }) => messages.length === n + 1)).toBe(true))
    }
    for (const reader of all) expect(names(reader)).toEqual(expected)
    expect((await scans()) - before).toBeLessThan(1_000)
  })

  it('leave the pool to the work while they catch up', async () => {
    await createHost('first')
    const start = await idOf('first')
    await append(5_000)
    const all = await Promise.all(Array.from({ length: 30 }, () => follow(start)))
    let [busiest, waiting] = [0, 0]
    const state = (text: string, name: string) =>
      Number(new RegExp(`connections{state="${name}"} (\\d+)`).exec(text)?.[1])
    await eventually(
      async () => {
        const { body } = await engine.http.get<string>('/metrics')
        busiest = Math.max(busiest, state(body, 'busy'))
        waiting = Math.max(waiting, state(body, 'waiting'))
        expect(all.map(({ messages }) => messages.length)).toEqual(all.map(() => 5_000))
      },
      { timeoutMs: 30_000 },
    )
    expect(waiting).toBe(0)
    // four for readers; the rest is the scrape itself and what is periodic
    expect(busiest).toBeLessThanOrEqual(8)
    expect(names(all[29] as SseReader)).toEqual(Array.from({ length: 5_000 }, (_, n) => n + 1))
  })
})
