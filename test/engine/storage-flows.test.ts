import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let agent: WireAgent
let ours: string
let theirs: string

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('s1'))
  ours = await createProject(engine)
  theirs = await createProject(engine)
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

const list = () => `/api/v1/hosts/${agent.hostId}/storage-connections`
const flow = (prefix: string) => `${list()}?prefix=${encodeURIComponent(prefix)}`
const body = { uri: 'local:///srv/a' }

async function managed(id: string, projectId?: string): Promise<void> {
  const reply = await engine.http.put(`${list()}/${encodeURIComponent(id)}`, { ...body, projectId })
  expect(reply.status).toBe(202)
  await agent.report(await agent.command())
}

const idsOf = async (query = '') =>
  (await engine.http.get(`${list()}${query}`)).body.items.map((c: { connectionId: string }) => c.connectionId)

describe('letting go of a flow', () => {
  it('takes all ids with the prefix, says how many, and again how many are leaving already', async () => {
    for (const id of ['FLOW101_a', 'FLOW101_b', 'FLOW102_a', 'xFLOW101_']) await managed(id)
    expect(await engine.http.delete(flow('FLOW101_'))).toMatchObject({
      status: 202,
      body: { prefix: 'FLOW101_', lettingGo: 2, alreadyLeaving: 0, kept: 0 },
    })
    expect((await engine.http.delete(flow('FLOW101_'))).body).toMatchObject({ lettingGo: 0, alreadyLeaving: 2 })
    const commands = [await agent.command(), await agent.command()]
    expect(commands.map(({ kind, payload }) => [kind, payload])).toEqual([
      ['storage.unmanage', { connectionId: expect.stringMatching(/^FLOW101_/) }],
      ['storage.unmanage', { connectionId: expect.stringMatching(/^FLOW101_/) }],
    ])
    for (const command of commands) await agent.report(command)
    expect(await idsOf()).toEqual(['FLOW102_a', 'xFLOW101_'])
    expect((await engine.http.delete(flow('FLOW101_'))).body).toMatchObject({ lettingGo: 0, alreadyLeaving: 0 })
  })

  it('takes % and _ and \\ for what they are', async () => {
    for (const id of ['a%b', 'a_b', 'a\\b', 'axb', 'ab']) await managed(id)
    for (const prefix of ['a%', 'a_', 'a\\']) {
      expect((await engine.http.delete(flow(prefix))).body).toMatchObject({ lettingGo: 1 })
      await agent.report(await agent.command())
    }
    expect(await idsOf('?prefix=a')).toEqual(['ab', 'axb'])
  })

  it.each([
    ['no prefix', ''],
    ['an empty prefix', '?prefix='],
    ['a slash', '?prefix=a%2Fb'],
    ['a control character', '?prefix=a%07'],
    ['too long a prefix', `?prefix=${'x'.repeat(256)}`],
  ])('is refused with %s, and takes nothing', async (_, query) => {
    const before = await idsOf()
    expect(await engine.http.delete(`${list()}${query}`)).toMatchObject({
      status: 422,
      body: { number: 453, faults: [{ field: 'prefix' }] },
    })
    expect(await idsOf()).toEqual(before)
  })

  it('leaves alone what is of other projects, and says how many it saw and may not take', async () => {
    await managed('shared-ours', ours)
    await managed('shared-theirs', theirs)
    const operator = await callerWith(engine, { projects: { [ours]: 'operator' } })
    const both = await callerWith(engine, { projects: { [ours]: 'viewer', [theirs]: 'operator' } })
    expect((await both.http.delete(flow('shared-'))).body).toMatchObject({ lettingGo: 1, kept: 1 })
    await agent.report(await agent.command())
    expect((await operator.http.delete(flow('shared-'))).body).toMatchObject({ lettingGo: 1, kept: 0 })
    await agent.report(await agent.command())
    const viewer = await callerWith(engine, { projects: { [ours]: 'viewer' } })
    expect((await viewer.http.delete(flow('shared-'))).status).toBe(403)
    expect(
      (await engine.http.delete('/api/v1/hosts/00000000-0000-4000-8000-000000000000/storage-connections?prefix=a'))
        .status,
    ).toBe(404)
  })

  it('goes through thousands, in transactions of which none is long, with an event and a command for each', async () => {
    const { body: away } = await engine.http.post('/api/v1/hosts', { name: 'full' })
    await engine.query(
      `INSERT INTO storage_connections (host_id, connection_id, uri, provisioning_status)
       SELECT $1, 'many_' || n, 'local:///srv/a', CASE WHEN n % 100 = 0 THEN 'PENDING_DELETE' ELSE 'ACTIVE' END
       FROM generate_series(1, 3000) n`,
      [away.id],
    )
    const path = `/api/v1/hosts/${away.id}/storage-connections?prefix=many_`
    expect((await engine.http.delete(path)).body).toMatchObject({ lettingGo: 2970, alreadyLeaving: 30 })
    const [counts] = await engine.query(
      `SELECT (SELECT count(*)::int FROM storage_connections WHERE host_id = $1 AND provisioning_status = 'PENDING_DELETE') AS leaving,
         (SELECT count(*)::int FROM tombstones WHERE host_id = $1 AND state = 'waiting') AS tombstones,
         (SELECT count(DISTINCT seq)::int FROM commands WHERE host_id = $1 AND kind = 'storage.unmanage') AS commands,
         (SELECT count(*)::int FROM events WHERE host_id = $1 AND type = 'storage.connection.unmanaging') AS events,
         (SELECT count(*)::int FROM storage_connections s JOIN commands c ON c.id = s.command_id AND c.generation = s.generation
          WHERE s.host_id = $1 AND c.subject = 'storage-connection/' || s.connection_id) AS own`,
      [away.id],
    )
    expect(counts).toEqual({ leaving: 3000, tombstones: 2970, commands: 2970, events: 2970, own: 2970 })
    const entries = await eventually(async () => {
      const { items } = (await engine.http.get('/api/v1/audit?operation=storageConnections.deleteFlow&limit=100')).body
      const own = items.filter((entry: { path: string }) => entry.path.includes(away.id))
      expect(own).toHaveLength(1)
      return own
    })
    expect(entries[0]).toMatchObject({ status: 202 })
  })

  it('supersedes what is queued for its ids: nothing is managed that is to go', async () => {
    const { body: away } = await engine.http.post('/api/v1/hosts', { name: 'away' })
    const at = `/api/v1/hosts/${away.id}/storage-connections`
    await engine.http.put(`${at}/q_1`, {
      ...body,
      uri: 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u',
      credentials: { chapPassword: 'never-to-be-sent' },
    })
    await engine.http.delete(`${at}?prefix=q_`)
    const rows = await engine.query(
      'SELECT kind, state, sealed_secrets AS sealed FROM commands WHERE host_id = $1 ORDER BY seq',
      [away.id],
    )
    expect(rows).toEqual([
      { kind: 'storage.manage', state: 'superseded', sealed: null },
      { kind: 'storage.unmanage', state: 'queued', sealed: null },
    ])
  })
})
