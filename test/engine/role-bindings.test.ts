import { callerWith, createProject, createUser, issue } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { makePerson, makeUser } from '../support/people.js'

let engine: TestEngine
let project: string
beforeAll(async () => {
  engine = await startTestEngine()
  project = await createProject(engine)
})
afterAll(() => engine?.stop())

const nobody = '00000000-0000-4000-8000-00000000dead'
const ofUser = (userId: string, place = '') => `/api/v1/users/${userId}/role-bindings${place && `/${place}`}`
const ofProject = (id: string, userId = '') => `/api/v1/projects/${id}/role-bindings${userId && `/${userId}`}`

describe('a role', () => {
  it('is one for each place, and the last one given counts, from the next request on', async () => {
    const user = await callerWith(engine, {})
    const hosts = async () => (await user.http.get('/api/v1/hosts')).status
    expect(await hosts()).toBe(403)
    await engine.http.put(ofUser(user.userId, 'plane'), { role: 'viewer' })
    expect(await hosts()).toBe(200)
    expect((await user.http.post('/api/v1/hosts', { name: 'h' })).status).toBe(403)
    await engine.http.put(ofUser(user.userId, 'plane'), { role: 'admin' })
    expect((await user.http.post('/api/v1/hosts', { name: 'h' })).status).toBe(201)
    await engine.http.put(ofUser(user.userId, project.toUpperCase()), { role: 'operator' })
    expect((await engine.http.get(ofUser(user.userId))).body.items).toMatchObject([
      { projectId: null, role: 'admin' },
      { projectId: project, role: 'operator', userId: user.userId },
    ])
    expect((await engine.http.delete(ofUser(user.userId, 'plane'))).status).toBe(204)
    expect(await hosts()).toBe(403)
    expect((await engine.http.delete(ofUser(user.userId, 'plane'))).status).toBe(404)
  })

  it('is not given to nobody, nowhere, or as something else', async () => {
    const userId = await createUser(engine)
    expect((await engine.http.put(ofUser(nobody, 'plane'), { role: 'viewer' })).status).toBe(404)
    expect((await engine.http.get(ofUser(nobody))).status).toBe(404)
    expect((await engine.http.put(ofUser(userId, nobody), { role: 'viewer' })).status).toBe(404)
    expect((await engine.http.put(ofUser(userId, 'planet'), { role: 'viewer' })).status).toBe(422)
    expect((await engine.http.put(ofUser(userId, 'plane'), { role: 'root' })).status).toBe(422)
  })

  it('is told of by an event', async () => {
    const userId = await createUser(engine)
    await engine.http.put(ofUser(userId, project), { role: 'viewer' })
    await engine.http.delete(ofUser(userId, project))
    // readable once no transaction that began before is open, in whatever database of the server
    await eventually(async () => {
      const { body } = await engine.http.get(`/api/v1/events?subject=project/${project}&limit=500`)
      const told = body.items.filter(({ payload }: { payload: { userId?: string } }) => payload.userId === userId)
      expect(told).toMatchObject([
        { type: 'identity.role.granted', projectId: project, payload: { role: 'viewer' } },
        { type: 'identity.role.revoked', projectId: project },
      ])
    })
  })
})

describe('the roles of a project', () => {
  it('are given and taken by its administrators, and seen by its viewers', async () => {
    const admin = await callerWith(engine, { projects: { [project]: 'admin' } })
    const user = await callerWith(engine, {})
    expect(await admin.http.put(ofProject(project, user.userId), { role: 'viewer' })).toMatchObject({
      status: 200,
      body: { userId: user.userId, projectId: project, role: 'viewer' },
    })
    const { body } = await user.http.get(`${ofProject(project)}?role=admin`)
    expect(body.items.map(({ userId }: { userId: string }) => userId)).toEqual([admin.userId])
    expect((await user.http.put(ofProject(project, user.userId), { role: 'admin' })).status).toBe(403)
    expect((await admin.http.delete(ofProject(project, user.userId))).status).toBe(204)
    expect((await user.http.get(ofProject(project))).status).toBe(403)
  })

  it('are not those of another project, whose administrator is told that it does not exist', async () => {
    const other = await createProject(engine)
    const stranger = await callerWith(engine, { projects: { [other]: 'admin' } })
    expect((await stranger.http.get(ofProject(project))).status).toBe(404)
    expect((await stranger.http.put(ofProject(project, stranger.userId), { role: 'viewer' })).status).toBe(404)
    expect((await stranger.http.delete(ofProject(project, stranger.userId))).status).toBe(404)
    expect((await stranger.http.put(ofUser(stranger.userId, 'plane'), { role: 'admin' })).status).toBe(403)
  })

  it('may be less for somebody who administers another one: that is 403', async () => {
    const other = await createProject(engine)
    const both = await callerWith(engine, { projects: { [other]: 'admin', [project]: 'operator' } })
    expect((await both.http.put(ofProject(project, both.userId), { role: 'admin' })).status).toBe(403)
  })
})

describe('the last administrator of the plane', () => {
  const last = { status: 409, body: { type: 'urn:keelson:problem:last-administrator' } }

  beforeEach(async () => {
    await engine.query(`DELETE FROM role_bindings WHERE project_id IS NULL
      AND user_id <> (SELECT user_id FROM api_tokens WHERE name = 'bootstrap')`)
  })

  const administrators = async (): Promise<string[]> => {
    const sql = `SELECT b.user_id FROM role_bindings b JOIN users u ON u.id = b.user_id
      WHERE b.project_id IS NULL AND b.role = 'admin' AND NOT u.disabled`
    return (await engine.query<{ user_id: string }>(sql)).map(({ user_id }) => user_id)
  }

  it('stays it, and is neither removed nor made less', async () => {
    const [userId = ''] = await administrators()
    expect(await engine.http.delete(ofUser(userId, 'plane'))).toMatchObject(last)
    expect(await engine.http.put(ofUser(userId, 'plane'), { role: 'operator' })).toMatchObject(last)
    expect((await engine.http.put(ofUser(userId, 'plane'), { role: 'admin' })).status).toBe(200)
  })

  it('is whoever is enabled', async () => {
    const [userId = ''] = await administrators()
    const disabled = await createUser(engine, { plane: 'admin' })
    await engine.query('UPDATE users SET disabled = true WHERE id = $1', [disabled])
    expect(await engine.http.delete(ofUser(userId, 'plane'))).toMatchObject(last)
    expect((await engine.http.delete(ofUser(disabled, 'plane'))).status).toBe(204)
  })

  it('is not made up for by a person who has no way to sign in', async () => {
    const [able, unable] = [await makePerson(engine, { role: 'admin' }), await makeUser(engine, { role: 'admin' })]
    expect(await engine.http.delete(ofUser(able.id, 'plane'))).toMatchObject(last)
    await engine.http.post(`/api/v1/users/${unable.id}/reset-password`)
    expect((await engine.http.delete(ofUser(able.id, 'plane'))).status).toBe(204)
  })

  it('is left over when all are removed at once', async () => {
    const others = await Promise.all(Array.from({ length: 7 }, () => createUser(engine, { plane: 'admin' })))
    const callers = await Promise.all(others.map((userId) => issue(engine, userId)))
    const all = await administrators()
    expect(all).toHaveLength(8)
    const removals = all.map((userId, index) => {
      const by = callers[index % callers.length] ?? engine
      return index % 2 === 0
        ? by.http.delete(ofUser(userId, 'plane'))
        : by.http.put(ofUser(userId, 'plane'), { role: 'viewer' })
    })
    const statuses = (await Promise.all(removals)).map(({ status }) => status)
    expect(await administrators()).toHaveLength(1)
    expect(statuses.every((status) => [200, 204, 403, 409].includes(status))).toBe(true)
  })
})
