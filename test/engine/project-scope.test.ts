import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { callerWith, createProject, issue, type TestCaller } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { SseReader } from '../support/sse.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let agent: WireAgent
let ours: string
let theirs: string
let operator: TestCaller
let stranger: TestCaller
const readers: SseReader[] = []

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('s1'))
  ours = await createProject(engine, 'ours')
  theirs = await createProject(engine, 'theirs')
  operator = await callerWith(engine, { projects: { [ours]: 'operator' } })
  stranger = await callerWith(engine, { projects: { [theirs]: 'operator' } })
})
afterEach(() => {
  for (const reader of readers.splice(0)) reader.close()
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

const path = (id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const body = { uri: 'local:///srv/a' }
const missing = 'never-there'
/** What a reply says, without what differs from request to request. */
const said = (reply: { status: number; body: { requestId?: string } }, ...ids: string[]) =>
  ids.reduce((text, id) => text.replaceAll(id, '…'), JSON.stringify([reply.status, { ...reply.body, requestId: '' }]))

async function managed(by: TestCaller, id: string): Promise<string> {
  const reply = await by.http.put(path(id), body)
  expect(reply.status).toBe(202)
  await agent.report(await agent.command())
  return reply.body.commandId
}

async function follow({ token }: { token: string }, lastEventId?: string): Promise<SseReader> {
  const reader = await SseReader.open(`${engine.url}/api/v1/events/stream`, { token, lastEventId })
  readers.push(reader)
  return reader
}

describe('a new connection', () => {
  let hostId: string
  const path = (id: string) => `/api/v1/hosts/${hostId}/storage-connections/${id}`

  beforeAll(async () => {
    hostId = (await engine.http.post('/api/v1/hosts', { name: 'without-an-agent' })).body.id
  })

  it('belongs to the default project of whoever is an operator there', async () => {
    expect((await engine.http.put(path('n1'), body)).body.projectId).toBe(DEFAULT_PROJECT)
    const both = await callerWith(engine, { projects: { [ours]: 'operator', [DEFAULT_PROJECT]: 'operator' } })
    expect((await both.http.put(path('n2'), body)).body.projectId).toBe(DEFAULT_PROJECT)
  })

  it('belongs to the only project in which its caller is an operator', async () => {
    const one = await callerWith(engine, { projects: { [ours]: 'operator', [theirs]: 'viewer' } })
    expect((await one.http.put(path('n3'), body)).body.projectId).toBe(ours)
  })

  it('is refused where its caller has to say to which', async () => {
    const both = await callerWith(engine, { projects: { [ours]: 'operator', [theirs]: 'operator' } })
    expect(await both.http.put(path('n4'), body)).toMatchObject({
      status: 422,
      body: { faults: [{ field: 'projectId' }] },
    })
    expect((await both.http.put(path('n4'), { ...body, projectId: theirs.toUpperCase() })).body.projectId).toBe(theirs)
    // it is known now
    expect((await both.http.put(path('n4'), body)).status).toBe(202)
    const moved = { status: 409, body: { type: 'urn:keelson:problem:id-in-use' } }
    const headers = { 'if-match': '*' }
    expect(await both.http.put(path('n4'), { ...body, projectId: ours }, { headers })).toMatchObject(moved)
  })

  it('is not made in a project that is not there, or another one, which is the same', async () => {
    const nobody = '00000000-0000-4000-8000-00000000dead'
    const into = (by: { http: TestCaller['http'] }, projectId: string) =>
      by.http.put(path('n5'), { ...body, projectId })
    expect(said(await into(operator, theirs), theirs)).toBe(said(await into(operator, nobody), nobody))
    expect((await into(operator, theirs)).status).toBe(404)
    expect((await into(engine, nobody)).status).toBe(404)
    const viewer = await callerWith(engine, { projects: { [ours]: 'operator', [theirs]: 'viewer' } })
    expect((await into(viewer, theirs)).status).toBe(403)
    expect((await engine.http.get(path('n5'))).status).toBe(404)
  })
})

describe("another project's connection", () => {
  beforeAll(async () => {
    await managed(operator, 'secret')
  })

  it.each([
    ['reading', (id: string) => stranger.http.get(path(id))],
    ['deleting', (id: string) => stranger.http.delete(path(id))],
    ['deleting a version of', (id: string) => stranger.http.delete(path(id), { headers: { 'if-match': '"g7"' } })],
    ['resetting', (id: string) => stranger.http.post(`${path(id)}/reset`)],
    ['changing', (id: string) => stranger.http.put(path(id), body, { headers: { 'if-match': '*' } })],
  ])('is not there for %s', async (_, ask) => {
    const reply = await ask('secret')
    expect(reply.status).toBe(404)
    expect(said(reply, 'secret')).toBe(said(await ask(missing), missing))
  })

  it('holds its id, and nothing more is told of it', async () => {
    const reply = await stranger.http.put(path('secret'), body)
    expect(reply).toMatchObject({ status: 409, body: { type: 'urn:keelson:problem:id-in-use', number: 478 } })
    expect(Object.keys(reply.body).sort()).toEqual(
      ['detail', 'instance', 'number', 'requestId', 'status', 'title', 'type'].sort(),
    )
    expect(JSON.stringify(reply.body)).not.toContain(ours)
    expect((await operator.http.get(path('secret'))).body).toMatchObject({ generation: 1, projectId: ours })
  })

  it('leaves nothing behind under its id, not even what was seen of it last', async () => {
    await managed(operator, 'passed-on')
    await operator.http.delete(path('passed-on'))
    await agent.report(await agent.command())
    await stranger.http.put(path('passed-on'), body)
    const fault = { type: 'mount-failed', message: 'a secret of ours' }
    await agent.observe([{ subject: 'storage-connection/passed-on', generation: 1, status: 'DOWN', fault }])
    expect((await stranger.http.get(path('passed-on'))).body).toMatchObject({
      projectId: theirs,
      operatingStatus: 'UNKNOWN',
      lastError: null,
    })
    await agent.report(await agent.command())
  })

  it('is waited for by nobody else: a lock on it does not show', async () => {
    const client = await lockRow('secret')
    const reply = await stranger.http.delete(path('secret'))
    expect(reply.status).toBe(404)
    await client()
  })

  it('is in no list', async () => {
    const list = `/api/v1/hosts/${agent.hostId}/storage-connections`
    const ids = async (by: { http: TestCaller['http'] }, query = '') =>
      (await by.http.get(`${list}${query}`)).body.items.map((c: { connectionId: string }) => c.connectionId)
    expect(await ids(operator)).toContain('secret')
    expect(await ids(engine, `?projectId=${ours}`)).toContain('secret')
    expect(await ids(stranger)).toEqual(['passed-on'])
    expect(await ids(stranger, `?projectId=${ours}`)).toEqual([])
    expect(await ids(stranger, '?connectionId=secret')).toEqual([])
  })

  it('is not in the reply that was kept for another token of the same user', async () => {
    const both = await callerWith(engine, { projects: { [ours]: 'operator', [theirs]: 'operator' } })
    const less = await issue(engine, both.userId, { projectId: theirs })
    const reset = (by: TestCaller) =>
      by.http.post(`${path('secret')}/reset`, undefined, { headers: { 'idempotency-key': 'one' } })
    expect((await reset(both)).status).toBe(202)
    expect((await reset(less)).status).toBe(404)
    const command = await agent.command()
    await agent.permit(command)
    await agent.report(command)
  })

  it('is seen and not changed by who may only see its project', async () => {
    const viewer = await callerWith(engine, { projects: { [ours]: 'viewer', [theirs]: 'operator' } })
    expect((await viewer.http.get(path('secret'))).status).toBe(200)
    expect((await viewer.http.put(path('secret'), body)).status).toBe(403)
    expect((await viewer.http.delete(path('secret'))).status).toBe(403)
    expect((await viewer.http.post(`${path('secret')}/reset`)).status).toBe(403)
  })
})

describe('commands', () => {
  it('are seen by those who see what they are for', async () => {
    const id = await managed(operator, 'commanded')
    const one = (by: { http: TestCaller['http'] }, at = id) => by.http.get(`/api/v1/commands/${at}`)
    expect((await one(operator)).body).toMatchObject({ projectId: ours, subject: 'storage-connection/commanded' })
    const nobody = '00000000-0000-4000-8000-00000000dead'
    expect((await one(stranger)).status).toBe(404)
    expect(said(await one(stranger), id)).toBe(said(await one(stranger, nobody), nobody))
    const list = async (by: { http: TestCaller['http'] }, query = '') =>
      (await by.http.get(`/api/v1/commands?limit=500${query}`)).body.items.map((c: { id: string }) => c.id)
    expect(await list(operator)).toContain(id)
    expect(await list(engine)).toContain(id)
    expect(await list(stranger)).not.toContain(id)
    expect(await list(stranger, `&projectId=${ours}`)).toEqual([])
  })
})

describe('events', () => {
  it('are read and heard by those who see what they are of', async () => {
    const [inside, outside, above] = [await follow(operator), await follow(stranger), await follow(engine)]
    await managed(operator, 'heard')
    await agent.observe([{ subject: 'storage-connection/heard', generation: 1, status: 'UP', fault: null }])
    await managed(stranger, 'own')
    const told = (reader: SseReader) =>
      reader.messages.map(({ event, data }) => `${data.payload.connectionId} ${event}`)
    const heard = ['requested', 'managed', 'observed'].map((what) => `heard storage.connection.${what}`)
    const own = ['requested', 'managed'].map((what) => `own storage.connection.${what}`)
    await eventually(() => expect(told(above)).toEqual([...heard, ...own]))
    await eventually(() => expect(told(outside)).toEqual(own))
    await eventually(() => expect(told(inside)).toEqual(heard))
    expect(inside.messages[0]?.data.projectId).toBe(ours)
    const list = async (by: { http: TestCaller['http'] }, query = '') =>
      JSON.stringify((await by.http.get(`/api/v1/events?limit=500${query}`)).body.items)
    await eventually(async () => expect(await list(operator)).toContain('heard'))
    expect(await list(stranger)).not.toContain('heard')
    expect(await list(stranger)).not.toContain('"projectId":null')
    expect(await list(stranger, `&subject=storage-connection/${agent.hostId}/heard`)).toBe('[]')
    expect(await list(stranger, `&projectId=${ours}`)).toBe('[]')
    expect(await list(engine, `&projectId=${ours}`)).not.toContain(theirs)
  })

  it('are heard afterwards by those who resume from before them, however much else there is', async () => {
    const { id } = (await engine.http.get('/api/v1/events?limit=1')).body.items[0]
    await engine.query(
      `INSERT INTO events (incarnation, type, subject) SELECT 1, 'hosts.host.updated', 'noise' FROM generate_series(1, 6000)`,
    )
    await managed(operator, 'later')
    const again = await follow(operator, id)
    await eventually(async () => {
      const own = (await operator.http.get('/api/v1/events?limit=500')).body.items.map((e: { id: string }) => e.id)
      expect(again.messages.map((message) => message.id)).toEqual(own)
      expect(again.messages.at(-1)?.data.payload.connectionId).toBe('later')
    })
  })

  it('come in pages without a gap or a repetition, from a project among others', async () => {
    for (const n of [1, 2, 3]) await managed(operator, `page-${n}`)
    // what was appended last may become readable between two reads
    await eventually(async () => {
      const whole = (await operator.http.get('/api/v1/events?limit=500')).body.items
      const pages: { id: string }[] = []
      let next: string | null = ''
      while (next !== null) {
        const reply: { body: { items: { id: string }[]; next: string | null } } = await operator.http.get(
          `/api/v1/events?limit=2${next && `&cursor=${next}`}`,
        )
        pages.push(...reply.body.items)
        next = reply.body.next
      }
      expect(pages.length).toBeGreaterThan(2)
      expect(pages).toEqual(whole)
    })
  })

  it('are looked up by the project, not through those of everybody', async () => {
    await engine.query(
      `INSERT INTO events (incarnation, type, subject) SELECT 1, 'hosts.host.updated', 'bulk' FROM generate_series(1, 20000)`,
    )
    await engine.query('ANALYZE events')
    await eventually(async () => {
      const { body } = await engine.http.get('/api/v1/events?subject=bulk&limit=1')
      expect(body.items).toHaveLength(1)
    })
    const read = async () => {
      await engine.query('SELECT pg_stat_force_next_flush()')
      const sql = `SELECT idx_tup_read::int AS read FROM pg_stat_user_indexes WHERE indexrelname = 'pk_events'`
      return (await engine.query<{ read: number }>(sql))[0]!.read
    }
    const before = await read()
    for (let n = 0; n < 8; n++) await stranger.http.get('/api/v1/events')
    expect((await read()) - before).toBeLessThan(20_000)
  })
})

describe('a live stream', () => {
  it('ends within seconds when the role, the token or a project is lost, and goes on for others', async () => {
    const bound = await callerWith(engine, { projects: { [ours]: 'viewer' } })
    const revoked = await issue(engine, operator.userId)
    const narrowed = await callerWith(engine, { projects: { [ours]: 'viewer', [theirs]: 'viewer' } })
    const ending = await Promise.all([follow(bound), follow(revoked), follow(narrowed)])
    const staying = await follow(operator)
    await engine.http.delete(`/api/v1/projects/${ours}/role-bindings/${bound.userId}`)
    await engine.http.delete(`/api/v1/projects/${theirs}/role-bindings/${narrowed.userId}`)
    await engine.query('UPDATE api_tokens SET revoked_at = now() WHERE id = $1', [revoked.tokenId])
    await eventually(() => expect(ending.map(({ closed }) => closed)).toEqual([true, true, true]), { timeoutMs: 8_000 })
    expect(staying.closed).toBe(false)
    expect((await follow(bound)).response.status).toBe(403)
    expect((await follow(revoked)).response.status).toBe(401)
    expect((await follow(narrowed)).response.status).toBe(200)
  })
})

/** Somebody is busy with the row. @returns what ends it */
async function lockRow(connectionId: string): Promise<() => Promise<void>> {
  const { default: pg } = await import('pg')
  const client = new pg.Client({ connectionString: engine.databaseUrl })
  await client.connect()
  await client.query('BEGIN')
  await client.query('SELECT FROM storage_connections WHERE connection_id = $1 FOR UPDATE', [connectionId])
  return async () => {
    await client.query('ROLLBACK')
    await client.end()
  }
}
