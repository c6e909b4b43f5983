import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
  for (const key of ['events', 'commands']) {
    await engine.http.put(`/api/v1/settings/${key}.retentionMs`, { value: 60_000 })
    await eventually(async () =>
      expect((await engine.http.get(`/api/v1/settings/${key}.retentionMs`)).body.value).toBe(60_000),
    )
  }
})
afterAll(() => engine.stop())

const createHost = async (name: string): Promise<string> => (await engine.http.post('/api/v1/hosts', { name })).body.id
const runNow = (name: string) => engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = $1`, [name])
const count = async (where: string): Promise<number> =>
  (await engine.query<{ n: number }>(`SELECT count(*)::int AS n FROM ${where}`))[0]?.n ?? Number.NaN

/** An event is listed when no transaction is open that began before. */
const idOf = (name: string): Promise<string> =>
  eventually(async () => {
    const { body } = await engine.http.get('/api/v1/events?limit=500')
    return body.items.find(({ payload }: { payload: { name?: string } }) => payload.name === name).id
  })

describe('the retention of events', () => {
  it('keeps the newest of the old ones, so that only readers that missed something are told so', async () => {
    for (const name of ['gone', 'away', 'newest-old', 'young']) await createHost(name)
    const ids = new Map<string, string>()
    for (const name of ['gone', 'away', 'newest-old']) ids.set(name, await idOf(name))
    await engine.query(`UPDATE events SET at = at - interval '1 hour' WHERE payload->>'name' IS DISTINCT FROM 'young'`)
    await runNow('events.retention')
    await eventually(async () => expect(await count(`events WHERE payload->>'name' = 'gone'`)).toBe(0))

    const kept = await engine.http.get('/api/v1/events?type=hosts.host.registered')
    expect(kept.body.items.map((e: { payload: { name: string } }) => e.payload.name)).toEqual(['newest-old', 'young'])
    expect((await engine.http.get(`/api/v1/events?cursor=${ids.get('gone')}`)).status).toBe(410)

    const stream = `${engine.url}/api/v1/events/stream`
    const late = await SseReader.open(stream, { token: engine.token, lastEventId: ids.get('gone') })
    await eventually(() =>
      expect(late.messages).toMatchObject([{ event: 'reset', data: { reason: expect.stringMatching(/older/) } }]),
    )
    const inTime = await SseReader.open(stream, { token: engine.token, lastEventId: ids.get('newest-old') })
    await eventually(() => expect(inTime.messages.map(({ data }) => data.payload.name)).toEqual(['young']))
    for (const reader of [late, inTime]) reader.close()
  })

  it('keeps up with more than one batch', async () => {
    await engine.query(
      `INSERT INTO events (incarnation, type, subject, at)
       SELECT 1, 'hosts.host.updated', 'bulk', now() - interval '1 hour' FROM generate_series(1, 25000)`,
    )
    await createHost('after-the-bulk')
    await runNow('events.retention')
    await eventually(async () => expect(await count(`events WHERE subject = 'bulk'`)).toBe(1), { timeoutMs: 20_000 })
  })
})

describe('the retention of commands', () => {
  it('removes what ended long ago, more than one batch of it, and nothing that has not ended', async () => {
    const insert = (from: number, to: number, age: string, finished: string) =>
      engine.query(
        `INSERT INTO commands (host_id, seq, kind, subject, generation, payload, state, created_at, finished_at)
         SELECT '00000000-0000-4000-8000-000000000001', n, 'storage.reset', 'x', 1, '{}', 'succeeded', now() - $3::interval,
           ${finished} FROM generate_series($1::int, $2::int) n`,
        [from, to, age],
      )
    await insert(1, 10, '2 hours', 'NULL')
    await insert(11, 25_010, '1 hour', `now() - interval '1 hour'`)
    await insert(25_011, 25_020, '1 hour', 'now()')
    await runNow('commands.retention')
    await eventually(async () => expect(await count('commands')).toBe(20), { timeoutMs: 20_000 })
    expect(await count('commands WHERE finished_at IS NULL')).toBe(10)
  })
})
