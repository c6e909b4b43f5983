import { connect } from 'node:net'
import { Writable } from 'node:stream'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let agent: WireAgent
let beating: NodeJS.Timeout
let log = ''

beforeAll(async () => {
  // shorter than the waits: it is for requests to arrive in
  const output = new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk)
      done()
    },
  })
  engine = await startTestEngine({ requestTimeoutMs: 1_000, logLevel: 'warn' }, output)
  await engine.http.put('/api/v1/settings/limits.callsPerMinute', { value: 1_000_000 })
  agent = await WireAgent.open(engine.tcp, helloOf('s1'))
  beating = setInterval(() => void agent.beat().catch(() => undefined), 2_000)
})
afterAll(async () => {
  clearInterval(beating)
  agent.vanish()
  await engine.stop()
})

const path = (id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const waitFor = (id: string, goal: string, timeoutMs: number, by = engine.http) =>
  by.get(`${path(id)}?waitFor=${goal}&timeoutMs=${timeoutMs}`)
const uri = 'local:///srv/a'

async function managed(id: string): Promise<void> {
  await engine.http.put(path(id), { uri })
  await agent.report(await agent.command())
}

const see = (id: string, status: string, fault: { type: string; message: string } | null = null, generation = 1) =>
  agent.observe([{ subject: `storage-connection/${id}`, generation, status, fault }])

const change = (id: string, body: object) => engine.http.put(path(id), body, { headers: { 'if-match': '*' } })

const takeOn = async () => agent.report(await agent.command())

/** Callers who wait, as the engine counts them. */
const waiting = async (count: number, url = engine.url) =>
  eventually(async () => {
    const text = await (await fetch(`${url}/metrics`, { headers: { authorization: `Bearer ${engine.token}` } })).text()
    expect(/^keelson_storage_waits (\d+)$/m.exec(text)?.[1]).toBe(String(count))
  })

describe('waiting for a storage connection', () => {
  it('answers at once when it is up already', async () => {
    await managed('up')
    await see('up', 'UP')
    expect(await waitFor('up', 'up', 60_000)).toMatchObject({ status: 200, body: { connected: true } })
  })

  it('answers when it comes up, and tells since when', async () => {
    await managed('comes')
    const reply = waitFor('comes', 'up', 30_000)
    await waiting(1)
    await see('comes', 'DOWN', { type: 'mount-failed', message: 'no' })
    await see('comes', 'UP')
    const { status, body, headers } = await reply
    expect({ status, body }).toMatchObject({
      status: 200,
      body: { connected: true, operatingStatus: 'UP', lastError: null, connectedSince: expect.any(String) },
    })
    expect(headers.get('etag')).toBe('"g1"')
  })

  it('answers after its time as it then is, longer than a request may take to arrive', async () => {
    await managed('never')
    const begun = performance.now()
    expect(await waitFor('never', 'up', 2_500)).toMatchObject({ status: 200, body: { connected: false } })
    expect(performance.now() - begun).toBeGreaterThan(2_400)
  })

  it('for the first error answers with that, and for up goes on', async () => {
    await managed('fails')
    const [first, up] = [waitFor('fails', 'firstError', 30_000), waitFor('fails', 'up', 30_000)]
    await waiting(2)
    await see('fails', 'DOWN', { type: 'mount-failed', message: 'no such device' })
    expect((await first).body).toMatchObject({ connected: false, lastError: { message: 'no such device' } })
    expect((await waitFor('fails', 'firstError', 30_000)).body).toMatchObject({ connected: false })
    await waiting(1)
    await see('fails', 'UP')
    expect((await up).body).toMatchObject({ connected: true })
  })

  it('for another target waits until the host has seen that one: what was up before is not it', async () => {
    await managed('changed')
    await see('changed', 'UP')
    await change('changed', { uri: 'local:///srv/b' })
    const reply = waitFor('changed', 'up', 30_000)
    await waiting(1)
    await takeOn()
    const unseen = { generation: 2, provisioningStatus: 'ACTIVE', operatingStatus: 'UNKNOWN', connectedSince: null }
    expect((await engine.http.get(path('changed'))).body).toMatchObject(unseen)
    await see('changed', 'UP')
    expect((await engine.http.get(path('changed'))).body).toMatchObject(unseen)
    await waiting(1)
    await see('changed', 'UP', null, 2)
    expect((await reply).body).toMatchObject({ generation: 2, connected: true, connectedSince: expect.any(String) })
  })

  it('for another target counts what was seen of it before the host told that it has taken it on', async () => {
    await managed('overtaken')
    await see('overtaken', 'UP')
    const { connectedSince: before } = (await engine.http.get(path('overtaken'))).body
    await change('overtaken', { uri: 'local:///srv/b' })
    const reply = waitFor('overtaken', 'up', 30_000)
    await waiting(1)
    await see('overtaken', 'UP', null, 2)
    await see('overtaken', 'DOWN', { type: 'mount-failed', message: 'of the one before' })
    await takeOn()
    const { body } = await reply
    expect(body).toMatchObject({ generation: 2, provisioningStatus: 'ACTIVE', connected: true, lastError: null })
    expect(new Date(body.connectedSince).getTime()).toBeGreaterThan(new Date(before).getTime())
  })

  it('for the same target in another way is up where it stayed so', async () => {
    await engine.http.put(path('other-way'), { uri: 'nfs://server/a' })
    await takeOn()
    await see('other-way', 'UP')
    await change('other-way', { uri: 'nfs://server/a', options: { ro: '' } })
    const reply = waitFor('other-way', 'up', 30_000)
    await waiting(1)
    await takeOn()
    expect((await reply).body).toMatchObject({ generation: 2, provisioningStatus: 'ACTIVE', connected: true })
  })

  it('for the first error after a change does not answer with the one before, and does with the same once more', async () => {
    const refused = { type: 'permission', message: 'access denied' }
    await engine.http.put(path('refused'), { uri: 'nfs://server/a' })
    await takeOn()
    await see('refused', 'DOWN', refused)
    await change('refused', { uri: 'nfs://server/a', options: { ro: '' } })
    const reply = waitFor('refused', 'firstError', 30_000)
    await waiting(1)
    await takeOn()
    expect((await engine.http.get(path('refused'))).body).toMatchObject({ provisioningStatus: 'ACTIVE' })
    const begun = performance.now()
    expect((await waitFor('refused', 'firstError', 500)).body).toMatchObject({ connected: false })
    expect(performance.now() - begun).toBeGreaterThan(450)
    await waiting(1)
    await see('refused', 'DOWN', refused, 2)
    expect((await reply).body).toMatchObject({ generation: 2, lastError: refused })
  })

  it('lasts while the log of events cannot be read, and learns afterwards what happened meanwhile', async () => {
    await managed('unheard')
    await managed('heard')
    const replies = [waitFor('unheard', 'up', 60_000), waitFor('heard', 'up', 60_000)] as const
    await waiting(2)
    await engine.query('ALTER TABLE events RENAME TO events_away')
    await eventually(() => expect(log).toContain('changes of connections cannot be followed'))
    await engine.query(
      `UPDATE storage_connections SET operating_status = 'UP', connected_since = now() WHERE connection_id = 'unheard'`,
    )
    await engine.query('ALTER TABLE events_away RENAME TO events')
    expect((await replies[0]).body).toMatchObject({ connected: true })
    await waiting(1)
    await see('heard', 'UP')
    expect((await replies[1]).body).toMatchObject({ connected: true })
  }, 60_000)

  it('ends with 404 when it goes, and where it is not', async () => {
    await managed('goes')
    const reply = waitFor('goes', 'up', 30_000)
    await waiting(1)
    await engine.http.delete(path('goes'))
    await agent.report(await agent.command())
    expect(await reply).toMatchObject({ status: 404, body: { number: 479 } })
    expect((await waitFor('unknown', 'up', 30_000)).status).toBe(404)
  })

  it('ends when its caller hangs up', async () => {
    await managed('left')
    const { hostname, port } = new URL(engine.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `GET ${path('left')}?waitFor=up&timeoutMs=60000 HTTP/1.1\r\nhost: x\r\nauthorization: Bearer ${engine.token}\r\n\r\n`,
    )
    await waiting(1)
    socket.destroy()
    await waiting(0)
  })

  it('ends for whom the connection is no more to be seen', async () => {
    const project = await createProject(engine)
    await engine.http.put(path('taken-away'), { uri, projectId: project })
    await agent.report(await agent.command())
    const caller = await callerWith(engine, { projects: { [project]: 'viewer' } })
    const reply = waitFor('taken-away', 'up', 60_000, caller.http)
    await waiting(1)
    await engine.query('DELETE FROM role_bindings WHERE project_id = $1', [project])
    expect((await reply).status).toBe(404)
    const stranger = await callerWith(engine, { projects: { [await createProject(engine)]: 'operator' } })
    expect((await waitFor('taken-away', 'up', 60_000, stranger.http)).status).toBe(404)
  })

  it.each([
    ['a goal that is none', 'waitFor=down', 'waitFor'],
    ['too long a time', 'waitFor=up&timeoutMs=60001', 'timeoutMs'],
    ['no time', 'waitFor=up&timeoutMs=0', 'timeoutMs'],
  ])('is refused with %s', async (_, query, field) => {
    expect(await engine.http.get(`${path('up')}?${query}`)).toMatchObject({
      status: 422,
      body: { faults: [{ field }] },
    })
  })

  it('costs the database nothing while it lasts, however many wait', async () => {
    const ids = Array.from({ length: 500 }, (_, n) => `many-${n}`)
    await engine.query(
      `INSERT INTO storage_connections (host_id, connection_id, uri, target, provisioning_status)
       SELECT $1, id, 'local:///srv/a', 'local:///srv/a', 'ACTIVE' FROM unnest($2::text[]) AS id`,
      [agent.hostId, ids],
    )
    const statementsIn = async (ms: number) => {
      const before = await statements()
      await new Promise((resolve) => setTimeout(resolve, ms))
      return (await statements()) - before
    }
    const idle = await statementsIn(3_000)
    const replies = ids.map((id) => waitFor(id, 'up', 60_000))
    await eventually(() => waiting(500), { timeoutMs: 30_000 })
    const waited = await statementsIn(3_000)
    // one reader of the log for all of them, and schedules that come now and then: far from one a wait
    expect(waited - idle).toBeLessThan(ids.length / 2)
    const before = await statements()
    await agent.observe(
      ids.map((id) => ({ subject: `storage-connection/${id}`, generation: 1, status: 'UP', fault: null })),
    )
    const bodies = (await Promise.all(replies)).map(({ body }) => body)
    expect(bodies.filter(({ connected }) => connected)).toHaveLength(500)
    // each reads its answer once; nobody asked in vain, and schedules go on meanwhile
    expect((await statements()) - before).toBeLessThan(500 * 3)
  })

  it('has an end: with too many of one caller, and of all, the next one is told so', async () => {
    await managed('crowded')
    await engine.http.put('/api/v1/settings/storage.waitsPerCaller', { value: 3 })
    const replies = Array.from({ length: 3 }, () => waitFor('crowded', 'up', 60_000))
    await waiting(3)
    const refused = await waitFor('crowded', 'up', 60_000)
    expect(refused).toMatchObject({ status: 429, body: { type: 'urn:keelson:problem:too-many-requests' } })
    expect(refused.headers.get('retry-after')).toBe('5')
    await engine.http.put('/api/v1/settings/storage.waits', { value: 3 })
    const other = await callerWith(engine, { plane: 'viewer' })
    expect(await waitFor('crowded', 'up', 60_000, other.http)).toMatchObject({
      status: 503,
      body: { type: 'urn:keelson:problem:unavailable' },
    })
    await see('crowded', 'UP')
    expect((await Promise.all(replies)).map(({ status }) => status)).toEqual([200, 200, 200])
    for (const key of ['storage.waits', 'storage.waitsPerCaller'])
      await engine.http.put(`/api/v1/settings/${key}`, { value: 1_000 })
  })

  it('is woken by what another replica is told, and sent elsewhere by one that stops', async () => {
    await managed('elsewhere')
    const other = await engine.replica()
    const there = http(other.url, { token: engine.token })
    const reply = waitFor('elsewhere', 'up', 30_000, there)
    await waiting(1, other.url)
    await see('elsewhere', 'UP')
    expect((await reply).body).toMatchObject({ connected: true })
    await managed('stopping')
    const last = waitFor('stopping', 'up', 30_000, there)
    await waiting(1, other.url)
    await other.stop()
    expect(await last).toMatchObject({ status: 503, body: { type: 'urn:keelson:problem:unavailable' } })
  })
})

/** Statements that the engine's own sessions have begun, by the server's count of their ends. */
async function statements(): Promise<number> {
  const [row] = await engine.query(
    `SELECT xact_commit + xact_rollback AS count FROM pg_stat_database WHERE datname = current_database()`,
  )
  return Number(row?.count)
}
