import pg from 'pg'
import { callerWith, createProject, type TestCaller } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { waitingForLocks } from './support/locks.js'

let engine: TestEngine
let agent: WireAgent
let project: string
let operator: TestCaller

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('q1'))
})
beforeEach(async () => {
  project = await createProject(engine)
  operator = await callerWith(engine, { projects: { [project]: 'operator' } })
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

const quotas = () => `/api/v1/projects/${project}/quotas`
const path = (id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${project}-${id}`
const put = (id: string) => operator.http.put(path(id), { uri: 'local:///srv/a' })
const limit = (connections: number | null) => engine.http.put(quotas(), { connections })
const shown = async () => (await operator.http.get(quotas())).body.connections
const exceeded = { status: 409, body: { type: 'urn:keelson:problem:quota-exceeded' } }

/** What was asked of the host since this number, answered. */
async function answerFrom(first: number, count: number): Promise<void> {
  for (let n = first; n < first + count; n++) await agent.report(await agent.command(n))
}

describe('quotas', () => {
  it('have no limit until one is set, and show what is used', async () => {
    await put('a')
    const { status, body, headers } = await operator.http.get(quotas())
    expect(status).toBe(200)
    expect(headers.get('etag')).toBe('"g1"')
    const { projectId, generation, connections, ...others } = body
    expect({ projectId, generation, connections }).toEqual({
      projectId: project,
      generation: 1,
      connections: { limit: null, used: 1 },
    })
    expect(Object.keys(others).sort()).toEqual([
      'guests',
      'healthMonitors',
      'l7Policies',
      'l7Rules',
      'listeners',
      'loadBalancers',
      'members',
      'memoryMiB',
      'pools',
      'vcpus',
    ])
    expect(Object.values(others)).toEqual(Object.values(others).map(() => ({ limit: null, used: 0 })))
  })

  it('are replaced as a whole, under If-Match', async () => {
    const headers = { 'if-match': '"g1"' }
    const set = await engine.http.put(quotas(), { guests: 3, vcpus: 8, memoryMiB: null }, { headers })
    expect(set.body).toMatchObject({
      guests: { limit: 3 },
      vcpus: { limit: 8 },
      memoryMiB: { limit: null },
      generation: 2,
    })
    expect((await engine.http.put(quotas(), { guests: 4 }, { headers })).status).toBe(412)
    expect((await engine.http.put(quotas(), { vcpus: 0 })).body).toMatchObject({
      guests: { limit: null },
      vcpus: { limit: 0 },
      generation: 3,
    })
  })

  it.each([-1, 1.5, '5', 1_000_000_001, {}])('are not %j', async (connections) => {
    const { status, body } = await engine.http.put(quotas(), { connections })
    expect([status, body.faults[0].field]).toEqual([422, 'connections'])
  })

  it('refuse what is too much, and say how much there is', async () => {
    await limit(1)
    expect((await put('a')).status).toBe(202)
    expect(await put('b')).toMatchObject({
      ...exceeded,
      body: { ...exceeded.body, resource: 'connections', limit: 1, used: 1, asked: 1 },
    })
    // the same again is no new one
    expect((await put('a')).status).toBe(202)
    await limit(null)
    expect((await put('b')).status).toBe(202)
  })

  it('are of their project alone', async () => {
    await limit(0)
    expect(await put('a')).toMatchObject(exceeded)
    expect((await engine.http.put(path('c'), { uri: 'local:///srv/a' })).status).toBe(202)
  })

  it('may be less than what is there: nothing goes, nothing comes', async () => {
    await put('a')
    await put('b')
    expect((await limit(1)).body.connections).toEqual({ limit: 1, used: 2 })
    expect(await put('c')).toMatchObject(exceeded)
    expect((await operator.http.get(path('a'))).status).toBe(200)
  })

  it('let exactly as many through as they say, however many come at once', async () => {
    await limit(5)
    const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => put(`n${n}`)))
    const statuses = replies.map(({ status }) => status).sort((a, b) => a - b)
    expect(statuses).toEqual([...Array(5).fill(202), ...Array(15).fill(409)])
    expect(await shown()).toEqual({ limit: 5, used: 5 })
    const [row] = await engine.query<{ made: number }>(
      'SELECT count(*)::int AS made FROM storage_connections WHERE project_id = $1',
      [project],
    )
    expect(row?.made).toBe(5)
  })

  it('count the same request once, however often it is sent at once', async () => {
    await limit(1)
    const replies = await Promise.all(Array.from({ length: 8 }, () => put('same')))
    expect(replies.map(({ status }) => status)).toEqual(Array(8).fill(202))
    expect(await shown()).toEqual({ limit: 1, used: 1 })
  })

  it('count what was begun before the limit was set, although it had not committed', async () => {
    const client = new pg.Client({ connectionString: engine.databaseUrl })
    await client.connect()
    await client.query('BEGIN')
    await client.query(
      `INSERT INTO storage_connections (host_id, connection_id, uri, provisioning_status, project_id)
       VALUES ($1, 'early', 'local:///srv/a', 'ERROR', $2)`,
      [agent.hostId, project],
    )
    // setting a limit waits for nobody
    expect((await limit(1)).status).toBe(200)
    const asked = put('late')
    let answered = false
    void asked.then(() => {
      answered = true
    })
    await waitingForLocks(engine, 1)
    expect(answered).toBe(false)
    await client.query('COMMIT')
    await client.end()
    expect(await asked).toMatchObject(exceeded)
  })

  it('are seen by what began before they were set and is not through yet', async () => {
    const client = new pg.Client({ connectionString: engine.databaseUrl })
    await client.connect()
    await client.query('BEGIN')
    await client.query('SELECT FROM projects WHERE id = $1 FOR UPDATE', [project])
    await client.query(`UPDATE projects SET limits = '{"connections": 0}' WHERE id = $1`, [project])
    const asked = put('between')
    await waitingForLocks(engine, 1)
    await client.query('COMMIT')
    await client.end()
    expect(await asked).toMatchObject(exceeded)
  })

  it('never let more through while the limit is changed again and again', async () => {
    const changing = (async () => {
      for (let n = 0; n < 10; n++) await limit(n % 2 === 0 ? 4 : 3)
      await limit(4)
    })()
    await limit(4)
    const replies = await Promise.all(Array.from({ length: 30 }, (_, n) => put(`r${n}`)))
    await changing
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([202, 409]))
    expect((await shown()).used).toBeLessThanOrEqual(4)
  })
})

describe('what is deleted', () => {
  it('is given back when its host has confirmed, and not before', async () => {
    await limit(1)
    const first = agent.commands.length
    await put('a')
    await answerFrom(first, 1)
    await operator.http.delete(path('a'))
    expect(await shown()).toEqual({ limit: 1, used: 1 })
    expect(await put('b')).toMatchObject(exceeded)
    await answerFrom(first + 1, 1)
    expect(await shown()).toEqual({ limit: 1, used: 0 })
    expect((await put('b')).status).toBe(202)
  })

  it('is given back when an administrator says forget', async () => {
    await limit(1)
    const first = agent.commands.length
    await put('a')
    await answerFrom(first, 1)
    await operator.http.delete(path('a'))
    const waiting = (await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}&state=waiting`)).body.items
    const tombstone = waiting.find(({ subject }: { subject: string }) => subject.endsWith(`${project}-a`))
    expect((await operator.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)).status).toBe(403)
    expect(await put('b')).toMatchObject(exceeded)
    await engine.http.post(`/api/v1/tombstones/${tombstone.id}/forget`)
    expect((await put('b')).status).toBe(202)
  })
})

it('nobody waits for the claims of others where there is no limit', async () => {
  const client = new pg.Client({ connectionString: engine.databaseUrl })
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT FROM projects WHERE id = $1 FOR NO KEY UPDATE', [project])
  expect((await put('free')).status).toBe(202)
  await client.query('ROLLBACK')
  await client.end()
})
