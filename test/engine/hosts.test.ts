import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
const agents: WireAgent[] = []

beforeAll(async () => {
  engine = await startTestEngine()
})
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(async () => {
  await engine.stop()
})

async function up(name: string): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, helloOf(name))
  agents.push(agent)
  return agent
}

const hostOf = async (id: string) => (await engine.http.get(`/api/v1/hosts/${id}`)).body
const act = (id: string, action: string, body: object | undefined = undefined) =>
  engine.http.post(`/api/v1/hosts/${id}/${action}`, body)

describe('a host', () => {
  it('is made known before its agent dials in, and is Down until then', async () => {
    const { status, body, headers } = await engine.http.post('/api/v1/hosts', { name: 'early', labels: { rack: 'a1' } })
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`/api/v1/hosts/${body.id}`)
    expect(body).toMatchObject({ status: 'Down', connected: false, labels: { rack: 'a1' } })
    const agent = await up('early')
    expect(agent.hostId).toBe(body.id)
    expect(await hostOf(body.id)).toMatchObject({ status: 'Up', labels: { rack: 'a1' } })
  })

  it('is refused under a name that is taken', async () => {
    await engine.http.post('/api/v1/hosts', { name: 'twice' })
    expect(await engine.http.post('/api/v1/hosts', { name: 'twice' })).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:name-taken' },
    })
  })

  it('is refused with a bad name, naming the field, and nothing is stored', async () => {
    const reply = await engine.http.post('/api/v1/hosts', { name: 'a/b', nmae: 'x' })
    expect(reply.status).toBe(422)
    expect(reply.body.faults.map((f: { field: string }) => f.field).sort()).toEqual(['name', 'nmae'])
  })

  it('has its labels changed under If-Match, and the ETag moves', async () => {
    const { body } = await engine.http.post('/api/v1/hosts', { name: 'labelled' })
    const reply = await engine.http.patch(
      `/api/v1/hosts/${body.id}`,
      { labels: { a: 'b' } },
      { headers: { 'if-match': '"g1"' } },
    )
    expect(reply).toMatchObject({ status: 200, body: { labels: { a: 'b' }, generation: 2 } })
    expect(reply.headers.get('etag')).toBe('"g2"')
    expect((await engine.http.patch(`/api/v1/hosts/${body.id}`, {}, { headers: { 'if-match': '"g1"' } })).status).toBe(
      412,
    )
  })

  it('goes into maintenance, stays there while its session comes and goes, and comes back by activate', async () => {
    const agent = await up('maintained')
    expect((await act(agent.hostId, 'maintenance', { reason: 'a disk' })).body).toMatchObject({
      status: 'Maintenance',
      statusReason: 'a disk',
    })
    agent.vanish()
    await eventually(async () =>
      expect(await hostOf(agent.hostId)).toMatchObject({ status: 'Maintenance', connected: false }),
    )
    agents.push(await WireAgent.open(engine.tcp, agent.again()))
    expect(await hostOf(agent.hostId)).toMatchObject({ status: 'Maintenance', connected: true, actions: ['activate'] })
    expect((await act(agent.hostId, 'activate')).body.status).toBe('Up')
  })

  it('is Down after activate while its agent is away', async () => {
    const { body } = await engine.http.post('/api/v1/hosts', { name: 'away' })
    await act(body.id, 'maintenance', {})
    expect((await act(body.id, 'activate')).body.status).toBe('Down')
  })

  it('refuses what its state does not allow', async () => {
    const agent = await up('busy')
    expect((await act(agent.hostId, 'activate')).status).toBe(409)
  })

  it('is not deleted while its agent has a session', async () => {
    const agent = await up('alive')
    expect((await engine.http.delete(`/api/v1/hosts/${agent.hostId}`)).status).toBe(409)
  })

  it('is not deleted while something uses it: the users are listed', async () => {
    const { body } = await engine.http.post('/api/v1/hosts', { name: 'used' })
    await engine.http.put(`/api/v1/hosts/${body.id}/storage-connections/a`, { uri: 'local:///x' })
    const reply = await engine.http.delete(`/api/v1/hosts/${body.id}`)
    expect(reply).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:in-use', users: [{ noun: 'storage-connection', id: 'a', name: 'a' }] },
    })
  })

  it('is deleted when it is unused, and its name is free', async () => {
    const { body } = await engine.http.post('/api/v1/hosts', { name: 'gone' })
    expect((await engine.http.delete(`/api/v1/hosts/${body.id}`)).status).toBe(204)
    expect((await engine.http.get(`/api/v1/hosts/${body.id}`)).status).toBe(404)
    expect((await engine.http.post('/api/v1/hosts', { name: 'gone' })).status).toBe(201)
  })

  it('takes what waited for it along when it is deleted', async () => {
    const agent = await up('taken-along')
    agent.vanish()
    await eventually(async () => expect((await hostOf(agent.hostId)).connected).toBe(false))
    await engine.query(
      `INSERT INTO commands (host_id, seq, kind, subject, generation, payload)
       VALUES ($1, 99, 'storage.unmanage', 'storage-connection/x', 1, '{"connectionId":"x"}')`,
      [agent.hostId],
    )
    expect((await engine.http.delete(`/api/v1/hosts/${agent.hostId}`)).status).toBe(204)
    const { body } = await engine.http.get(`/api/v1/commands?hostId=${agent.hostId}`)
    expect(body.items).toMatchObject([{ state: 'failed', fault: { type: 'host-deleted' } }])
  })

  it('becomes NonResponsive when the replica that held its session died and it does not come back', async () => {
    await engine.http.put('/api/v1/settings/hosts.returnGraceMs', { value: 0 })
    const { body } = await engine.http.post('/api/v1/hosts', { name: 'orphan' })
    await engine.query(
      `UPDATE hosts SET connected = true, status = 'Up', session_epoch = 5, owner_replica_id = gen_random_uuid() WHERE id = $1`,
      [body.id],
    )
    await eventually(
      async () => expect(await hostOf(body.id)).toMatchObject({ status: 'NonResponsive', connected: false }),
      { timeoutMs: 15_000 },
    )
    await engine.http.put('/api/v1/settings/hosts.returnGraceMs', { value: 15_000 })
  })
})

describe('a list of hosts', () => {
  it('is paged, sorted and filtered', async () => {
    for (const n of [3, 1, 2]) await engine.http.post('/api/v1/hosts', { name: `list-${n}` })
    const first = await engine.http.get('/api/v1/hosts?name=list-1&name=list-2&name=list-3&limit=2&sort=-name')
    expect(first.body.items.map((h: { name: string }) => h.name)).toEqual(['list-3', 'list-2'])
    const second = await engine.http.get(
      `/api/v1/hosts?name=list-1&name=list-2&name=list-3&limit=2&sort=-name&cursor=${first.body.next}`,
    )
    expect(second.body).toMatchObject({ items: [{ name: 'list-1' }], next: null })
  })

  it('refuses an unknown filter, an unknown sort field and an unknown state', async () => {
    for (const query of ['colour=red', 'sort=colour', 'status=Sideways', 'limit=0', 'limit=501', 'cursor=garbage']) {
      expect([query, (await engine.http.get(`/api/v1/hosts?${query}`)).status]).toEqual([query, 422])
    }
  })
})

describe('settings and schedules', () => {
  it('are shown with default, bounds and meaning, and changed under If-Match', async () => {
    const path = '/api/v1/settings/storage.probeIntervalMs'
    expect((await engine.http.get(path)).body).toMatchObject({ value: 10_000, default: 10_000, generation: 0 })
    const changed = await engine.http.put(path, { value: 5_000 }, { headers: { 'if-match': '"g0"' } })
    expect(changed.body).toMatchObject({ value: 5_000, generation: 1 })
    expect((await engine.http.put(path, { value: 6_000 }, { headers: { 'if-match': '"g0"' } })).status).toBe(412)
    await eventually(async () => expect((await engine.http.get(path)).body.value).toBe(5_000))
  })

  it('refuse a value out of bounds and an unknown key', async () => {
    expect((await engine.http.put('/api/v1/settings/storage.probeIntervalMs', { value: 1 })).status).toBe(422)
    expect((await engine.http.put('/api/v1/settings/no.such', { value: 1 })).status).toBe(404)
  })

  it('list every schedule with its last turn', async () => {
    await eventually(async () => {
      const { body } = await engine.http.get('/api/v1/schedules')
      const expire = body.items.find((s: { name: string }) => s.name === 'commands.expire')
      expect(expire).toMatchObject({ lastOutcome: 'succeeded', everyMs: 1_000 })
    })
  })
})
