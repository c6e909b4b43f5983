import { randomUUID } from 'node:crypto'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

/** Far more than is read when each thing is looked up by itself. */
const HISTORY = 20_000
const TABLES = ['storage_connections', 'commands', 'tombstones']

let engine: TestEngine
let agent: WireAgent

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('crowded'))
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

/** Asked for, reported and seen up; then unmanaged, reported and gone. */
async function life(id: string): Promise<void> {
  const path = `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
  const shows = (expected: object) =>
    eventually(async () => expect((await engine.http.get(path)).body).toMatchObject(expected))
  expect((await engine.http.put(path, { uri: 'local:///srv/a' })).status).toBe(202)
  const manage = await agent.command()
  await agent.report(manage)
  await agent.observe([{ subject: manage.subject, generation: 1, status: 'UP', fault: null }])
  await shows({ provisioningStatus: 'ACTIVE', operatingStatus: 'UP' })
  expect((await engine.http.delete(path)).status).toBe(202)
  await agent.report(await agent.command())
  await eventually(async () => expect((await engine.http.get(path)).status).toBe(404))
}

/** Rows that were read of the tables that grow, by whatever plan. */
async function rowsRead(): Promise<number> {
  const [row] = await engine.query<{ read: number }>(
    `SELECT (SELECT sum(seq_tup_read) FROM pg_stat_user_tables WHERE relname = ANY($1))::int
          + (SELECT sum(idx_tup_read) FROM pg_stat_user_indexes WHERE relname = ANY($1))::int AS read`,
    [TABLES],
  )
  return row?.read ?? 0
}

/** Once sessions have told what they did. */
async function settledRowsRead(): Promise<number> {
  let before = -1
  return eventually(
    async () => {
      const now = await rowsRead()
      const still = now === before
      before = now
      expect(still).toBe(true)
      return now
    },
    { timeoutMs: 20_000, intervalMs: 1_500 },
  )
}

it('looks up what requests and hosts are about, and nothing else, however the tables grew since the plans were made', async () => {
  // autovacuum would have the plans made anew at any moment
  for (const table of TABLES) await engine.query(`ALTER TABLE ${table} SET (autovacuum_enabled = false)`)
  for (let n = 0; n < 40; n++) await life(`early-${n}`)
  await engine.query(
    `INSERT INTO storage_connections (host_id, connection_id, uri, generation, command_id, provisioning_status, project_id)
     SELECT $1, 'old-' || n, 'local:///srv/a', 1, gen_random_uuid(), 'ACTIVE', (SELECT id FROM projects LIMIT 1)
     FROM generate_series(1, $2::int) n`,
    [agent.hostId, HISTORY],
  )
  await engine.query(
    `INSERT INTO commands (id, host_id, seq, kind, subject, generation, payload, state, finished_at)
     SELECT gen_random_uuid(), $1, -n, 'storage.manage', 'storage-connection/old-' || n, 1, '{}', 'succeeded', now()
     FROM generate_series(1, $2::int) n`,
    [agent.hostId, HISTORY],
  )
  await engine.query(
    `INSERT INTO tombstones (host_id, subject, generation, state)
     SELECT $1, 'storage-connection/gone-' || n, 1, 'confirmed' FROM generate_series(1, $2::int) n`,
    [agent.hostId, HISTORY],
  )
  const before = await settledRowsRead()
  for (let n = 0; n < 10; n++) await life(`late-${randomUUID()}`)
  expect((await settledRowsRead()) - before).toBeLessThan(HISTORY)
}, 120_000)
