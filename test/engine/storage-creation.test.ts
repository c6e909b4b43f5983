import { randomUUID } from 'node:crypto'
import pg from 'pg'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import type { Body, HttpReply } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { rowsOf } from './support/audit.js'
import { waitingForLocks } from './support/locks.js'

let engine: TestEngine
let agents: WireAgent[]
let outside: pg.Client

beforeAll(async () => {
  engine = await startTestEngine()
  agents = [await WireAgent.open(engine.tcp, helloOf('many-1')), await WireAgent.open(engine.tcp, helloOf('many-2'))]
})
beforeEach(async () => {
  outside = new pg.Client({ connectionString: engine.databaseUrl })
  await outside.connect()
})
afterEach(() => outside.end())
afterAll(async () => {
  for (const agent of agents) agent.vanish()
  await engine.stop()
})

const body = { uri: 'local:///srv/a' }
const pathOf = (hostId: string, id: string) => `/api/v1/hosts/${hostId}/storage-connections/${id}`
const put = (hostId: string, id: string, more: object = {}, http = engine.http): Promise<HttpReply<Body>> =>
  http.put(pathOf(hostId, id), { ...body, ...more }, { headers: { 'x-request-id': `request-${id}` } })
const first = () => agents[0]!.hostId

/** Lets `ask` send its requests while one before them is being written: they are gathered. */
async function gathered<T>(ask: () => Promise<T>[]): Promise<T[]> {
  await outside.query('BEGIN')
  await outside.query('LOCK TABLE storage_connections IN SHARE MODE')
  const before = put(first(), `before-${randomUUID()}`)
  await waitingForLocks(engine, 1)
  const asked = ask()
  // as many requests that were sent after them have been answered
  for (const _ of asked) await engine.http.get('/api/v1/hosts')
  await outside.query('COMMIT')
  await before
  return Promise.all(asked)
}

describe('connections that are asked for together', () => {
  it('are written together, each with the number, the command, the event and the audit row of its own request', async () => {
    const ids = Array.from({ length: 20 }, (_, i) => `together-${i}`)
    const hostOf = (i: number) => agents[i % agents.length]!.hostId
    const replies = await gathered(() => ids.map((id, i) => put(hostOf(i), id)))
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202]))

    const rows = await engine.query<{ id: string; xmin: string; request: string; seq: number; number: number }>(
      `SELECT s.connection_id AS id, s.xmin::text, c.request_id AS request, c.seq::int,
         row_number() OVER (PARTITION BY s.host_id ORDER BY c.seq)::int AS number
       FROM storage_connections s JOIN commands c ON c.id = s.command_id AND c.host_id = s.host_id
       WHERE s.connection_id LIKE 'together-%'`,
    )
    expect(rows).toHaveLength(20)
    expect(new Set(rows.map(({ xmin }) => xmin)).size).toBeLessThan(10)
    for (const { id, request } of rows) expect(request).toBe(`request-${id}`)
    for (const [i, id] of ids.entries()) {
      const subject = `storage-connection/${hostOf(i)}/${id}`
      const [audited] = await rowsOf(engine, `request-${id}`)
      expect(audited).toMatchObject({ status: 202, path: pathOf(hostOf(i), id), subjects: [subject] })
      const events = await engine.http.get(`/api/v1/events?subject=${encodeURIComponent(subject)}`)
      expect(events.body.items).toMatchObject([{ type: 'storage.connection.requested', requestId: `request-${id}` }])
    }
  })

  it('are sent to each host in the order of their numbers', async () => {
    const agent = await WireAgent.open(engine.tcp, helloOf('in-order'))
    await gathered(() => Array.from({ length: 12 }, (_, i) => put(agent.hostId, `ordered-${i}`)))
    await agent.command(11)
    expect(agent.commands.map(({ seq }) => seq)).toEqual(Array.from({ length: 12 }, (_, i) => i + 1))
    agent.vanish()
  })

  it('cost each other nothing where one of them cannot be', async () => {
    const { said } = helloOf('lame')
    const lame = await WireAgent.open(engine.tcp, { host: 'lame', said: { ...said, capabilities: ['storage:nfs'] } })
    const project = await createProject(engine)
    await engine.http.put(`/api/v1/projects/${project}/quotas`, { connections: 1 })
    const limited = await callerWith(engine, { projects: { [project]: 'operator' } })
    await put(first(), 'there')
    const replies = await gathered(() => [
      put(first(), 'good-1'),
      put(randomUUID(), 'no-host'),
      put(lame.hostId, 'lame'),
      put(first(), 'there', { uri: 'local:///srv/another' }),
      put(first(), 'there'),
      put(first(), 'good-2'),
      put(first(), 'limited-1', {}, limited.http),
      put(first(), 'limited-2', {}, limited.http),
    ])
    const statuses = replies.map(({ status }) => status)
    expect(statuses.slice(0, 6)).toEqual([202, 404, 409, 409, 202, 202])
    // one of the two has the last place
    expect(statuses.slice(6).toSorted((a, b) => a - b)).toEqual([202, 409])
    lame.vanish()
  })

  it('are one where they are the same', async () => {
    const replies = await gathered(() => Array.from({ length: 20 }, () => put(first(), 'same')))
    expect(new Set(replies.map((reply) => `${reply.status} ${reply.body.generation}`))).toEqual(new Set(['202 1']))
    const commands = await engine.query('SELECT id FROM commands WHERE subject = $1', ['storage-connection/same'])
    expect(commands).toHaveLength(1)
    const events = await engine.query('SELECT id FROM events WHERE subject = $1 AND type = $2', [
      `storage-connection/${first()}/same`,
      'storage.connection.requested',
    ])
    expect(events).toHaveLength(1)
  })

  it('do not wait for a host whose numbers are being given out', async () => {
    const [, other] = agents
    await outside.query('BEGIN')
    await outside.query('SELECT FROM host_sequences WHERE host_id = $1 FOR UPDATE', [first()])
    const held = put(first(), 'held')
    await waitingForLocks(engine, 1)
    for (let i = 0; i < 5; i++) expect((await put(other!.hostId, `free-${i}`)).status).toBe(202)
    await outside.query('COMMIT')
    expect((await held).status).toBe(202)
  })

  it('do not wait for a project whose limits are being set', async () => {
    const project = await createProject(engine)
    const operator = await callerWith(engine, { projects: { [project]: 'operator' } })
    await outside.query('BEGIN')
    await outside.query('SELECT FROM projects WHERE id = $1 FOR UPDATE', [project])
    const held = put(first(), 'held-by-project', {}, operator.http)
    await waitingForLocks(engine, 1)
    expect((await put(first(), 'of-another-project')).status).toBe(202)
    await outside.query('COMMIT')
    expect((await held).status).toBe(202)
  })
})
