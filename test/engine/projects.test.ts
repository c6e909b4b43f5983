import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.stop())

const nobody = '00000000-0000-4000-8000-00000000dead'
const at = (id: string) => `/api/v1/projects/${id}`
const namesOf = (reply: { body: { items: { name: string }[] } }) => reply.body.items.map(({ name }) => name)

describe('projects', () => {
  it('are there from the beginning: one, called default', async () => {
    expect(await engine.http.get(at(DEFAULT_PROJECT))).toMatchObject({ status: 200, body: { name: 'default' } })
  })

  it('are made with a name of their own', async () => {
    const made = await engine.http.post('/api/v1/projects', { name: 'web shop', description: 'behind the shop' })
    expect(made).toMatchObject({ status: 201, body: { name: 'web shop', generation: 1 } })
    expect(made.headers.get('location')).toBe(at(made.body.id))
    expect(await engine.http.post('/api/v1/projects', { name: 'web shop' })).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:name-taken' },
    })
  })

  it.each(['', ' shop', '-shop', 'a/b', 'x'.repeat(64), 'a\u0007b', 7])('are not called %j', async (name) => {
    const reply = await engine.http.post('/api/v1/projects', { name })
    expect(reply).toMatchObject({ status: 422, body: { faults: [{ field: 'name' }] } })
  })

  it('are renamed under If-Match, once', async () => {
    const id = await createProject(engine, 'old name')
    const headers = { 'if-match': '"g1"' }
    expect((await engine.http.patch(at(id), { name: 'new name' }, { headers })).body).toMatchObject({
      name: 'new name',
      description: '',
      generation: 2,
    })
    expect((await engine.http.patch(at(id), { name: 'newer name' }, { headers })).status).toBe(412)
    expect((await engine.http.patch(at(id), { name: 'default' })).body.type).toBe('urn:keelson:problem:name-taken')
    expect((await engine.http.get(at(id))).body.name).toBe('new name')
  })

  it('are removed when nothing belongs to them, with the roles in them', async () => {
    const id = await createProject(engine)
    const viewer = await callerWith(engine, { projects: { [id]: 'viewer' } })
    expect((await engine.http.delete(at(id), { headers: { 'if-match': '"g9"' } })).status).toBe(412)
    expect((await engine.http.delete(at(id))).status).toBe(204)
    expect((await engine.http.get(at(id))).status).toBe(404)
    expect((await viewer.http.get('/api/v1/projects')).status).toBe(403)
  })

  it('stay while something belongs to them, and say what', async () => {
    const id = await createProject(engine)
    const agent = await WireAgent.open(engine.tcp, helloOf('p1'))
    const path = `/api/v1/hosts/${agent.hostId}/storage-connections/kept`
    await engine.http.put(path, { uri: 'local:///srv/a', projectId: id })
    const users = [{ noun: 'storage-connection', id: 'kept', name: 'kept' }]
    const inUse = { status: 409, body: { type: 'urn:keelson:problem:in-use', users } }
    expect(await engine.http.delete(at(id))).toMatchObject(inUse)
    await agent.report(await agent.command())
    await engine.http.delete(path)
    expect(await engine.http.delete(at(id))).toMatchObject(inUse)
    await agent.report(await agent.command())
    expect((await engine.http.delete(at(id))).status).toBe(204)
    agent.vanish()
  })

  it('keep the default one, whatever happens', async () => {
    expect((await engine.http.delete(at(DEFAULT_PROJECT))).status).toBe(409)
  })

  it('that do not exist are 404 to everybody', async () => {
    for (const path of [at(nobody), `${at(nobody)}/quotas`, `${at(nobody)}/role-bindings`]) {
      expect((await engine.http.get(path)).status).toBe(404)
    }
    expect((await engine.http.patch(at(nobody), { name: 'x' })).status).toBe(404)
    expect((await engine.http.delete(at(nobody))).status).toBe(404)
    expect((await engine.http.put(`${at(nobody)}/quotas`, {})).status).toBe(404)
  })
})

describe('somebody with a role in a project', () => {
  it('sees that project alone, and of the others not that they exist', async () => {
    const [own, other] = [await createProject(engine, 'own'), await createProject(engine, 'other')]
    const caller = await callerWith(engine, { projects: { [own]: 'admin' } })
    expect(namesOf(await caller.http.get('/api/v1/projects'))).toEqual(['own'])
    expect(namesOf(await caller.http.get('/api/v1/projects?name=other'))).toEqual([])
    expect((await caller.http.get(at(own))).status).toBe(200)
    const [foreign, missing] = [await caller.http.get(at(other)), await caller.http.get(at(nobody))]
    expect(foreign.status).toBe(404)
    expect(JSON.stringify(foreign.body).replaceAll(other, nobody).replace(foreign.body.requestId, '')).toBe(
      JSON.stringify(missing.body).replace(missing.body.requestId, ''),
    )
  })

  it('neither makes, changes nor removes projects', async () => {
    const own = await createProject(engine)
    const caller = await callerWith(engine, { projects: { [own]: 'admin' } })
    expect((await caller.http.post('/api/v1/projects', { name: 'mine' })).status).toBe(403)
    expect((await caller.http.patch(at(own), { name: 'mine' })).status).toBe(403)
    expect((await caller.http.delete(at(own))).status).toBe(403)
    expect((await caller.http.put(`${at(own)}/quotas`, {})).status).toBe(403)
  })
})

it('a viewer of the plane sees every project', async () => {
  const viewer = await callerWith(engine, { plane: 'viewer' })
  expect(namesOf(await viewer.http.get('/api/v1/projects?limit=500'))).toEqual(
    namesOf(await engine.http.get('/api/v1/projects?limit=500')),
  )
})
