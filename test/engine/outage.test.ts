import { createTestDatabase, type TestDatabase } from '../support/database.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'
import { startTcpProxy, type TcpProxy } from '../support/tcp-proxy.js'

let database: TestDatabase
let wire: TcpProxy
let engine: TestEngine

beforeAll(async () => {
  database = await createTestDatabase()
  wire = await startTcpProxy(database.url)
  engine = await startTestEngine({ databaseUrl: wire.url })
})
afterAll(async () => {
  await engine.stop()
  await wire.cut()
  await database.drop()
})

const hosts = () => engine.http.get('/api/v1/hosts')
const back = () => eventually(async () => expect((await hosts()).status).toBe(200), { timeoutMs: 30_000 })
const startedAt = async (name: string): Promise<string> => {
  const { body } = await engine.http.get('/api/v1/schedules')
  return body.items.find((schedule: { name: string }) => schedule.name === name)?.lastStartedAt
}

describe('while the database is away', () => {
  it('live streams stay open, and go on where they were when it is back', async () => {
    const { body: first } = await engine.http.post('/api/v1/hosts', { name: 'first' })
    const start = await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/events?hostId=${first.id}`)
      expect(body.items).toHaveLength(1)
      return body.items[0]
    })
    await engine.query(
      `INSERT INTO events (incarnation, type, subject) SELECT 1, 'hosts.host.updated', 'bulk' FROM generate_series(1, 6000)`,
    )
    const stream = `${engine.url}/api/v1/events/stream`
    const near = await SseReader.open(stream, { token: engine.token })
    const behind = await SseReader.open(stream, { token: engine.token, lastEventId: start.id })
    await eventually(() => expect(behind.messages.length).toBeGreaterThan(0))
    await wire.cut()
    await eventually(async () => expect((await hosts()).status).toBe(503))
    // several looks at a database that is not there
    const until = performance.now() + 2_500
    await eventually(() => expect(performance.now()).toBeGreaterThan(until))
    expect([near.closed, behind.closed]).toEqual([false, false])
    expect(behind.messages.length).toBeLessThan(6_000)
    await wire.restore()
    await back()
    await engine.http.post('/api/v1/hosts', { name: 'after' })
    for (const [reader, count] of [[near, 1] as const, [behind, 6_001] as const]) {
      await eventually(() => expect(reader.messages.at(-1)?.data.payload.name).toBe('after'))
      expect(reader).toMatchObject({ closed: false, messages: { length: count } })
      reader.close()
    }
  })

  it('measurements that need none are shown', async () => {
    const { body } = await engine.http.get<string>('/metrics')
    expect(body).toMatch(/keelson_event_streams \d/)
    await wire.cut()
    await measured()
    await wire.restore()
    await back()
  })

  it('measurements that need none are shown soon, also when it does not even refuse', async () => {
    await wire.cut()
    await wire.restore({ mute: true })
    // until no connection of before is left: each new one waits for an answer
    await eventually(
      async () => {
        const begunMs = performance.now()
        await measured()
        expect(performance.now() - begunMs).toBeGreaterThan(1_000)
        expect(performance.now() - begunMs).toBeLessThan(8_000)
      },
      { timeoutMs: 30_000 },
    )
    await wire.cut()
    await wire.restore()
    await back()
  })

  async function measured(): Promise<void> {
    const { status, body } = await engine.http.get<string>('/metrics')
    expect(status).toBe(200)
    expect(body).toMatch(/keelson_event_streams \d/)
    expect(body).toMatch(/keelson_database_connections\{state="idle"\}/)
    expect(body).not.toMatch(/keelson_commands_unfinished\{/)
  }
})

describe('a schedule', () => {
  it('takes its next turn although the end of the last one could not be written', async () => {
    await eventually(async () => expect(await startedAt('cluster.replicas')).toBeTruthy())
    const before = await startedAt('cluster.replicas')
    await engine.query(
      `UPDATE schedules SET lease_until = now() + interval '1 hour', next_run_at = now() WHERE name = 'cluster.replicas'`,
    )
    await eventually(async () => expect(await startedAt('cluster.replicas')).not.toBe(before))
  })

  it('leaves the turn to another replica that has begun it', async () => {
    await engine.query(
      `UPDATE schedules SET leased_by = gen_random_uuid(), lease_until = now() + interval '1 hour', next_run_at = now()
       WHERE name = 'commands.expire'`,
    )
    const before = await startedAt('commands.expire')
    // others take theirs meanwhile
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'cluster.replicas'`)
    const other = await startedAt('cluster.replicas')
    await eventually(async () => expect(await startedAt('cluster.replicas')).not.toBe(other))
    expect(await startedAt('commands.expire')).toBe(before)
  })
})
