import { DEFAULT_PROJECT } from '../../src/engine/identity/project.entity.js'
import { callerWith, createProject, createUser, issue } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { type OctaviaClient, octavia, withBasic, withToken } from './support/octavia.js'

let engine: TestEngine
let admin: OctaviaClient

beforeAll(async () => {
  engine = await startTestEngine()
  admin = octavia(engine.url, withToken(engine.token))
})
afterAll(() => engine?.stop())

const FAULT = { faultcode: 'Client', faultstring: expect.any(String), debuginfo: null }

describe('who calls the Octavia API', () => {
  it('shows an API token as X-Auth-Token', async () => {
    const reply = await admin.get('providers')
    expect(reply.status).toBe(200)
    expect(reply.headers.get('x-openstack-request-id')).toMatch(/^req-/)
  })

  it('shows it as the password of its user, or of its own name', async () => {
    const { token, userId } = await callerWith(engine, { projects: { [DEFAULT_PROJECT]: 'viewer' } })
    const [user] = await engine.query<{ name: string }>('SELECT name FROM users WHERE id = $1', [userId])
    for (const name of [user!.name, 'test']) {
      expect((await octavia(engine.url, withBasic(name, token)).get('providers')).status).toBe(200)
    }
  })

  it.each([
    ['nothing', {}],
    ['a token that is none', withToken('none')],
    ['a password that is no token', withBasic('admin', 'password')],
    ['the token of somebody else', () => withBasic('somebody', engine.token)],
  ])('is refused with %s, in words of its own', async (_, headers) => {
    const client = octavia(engine.url, typeof headers === 'function' ? headers() : headers)
    const reply = await client.get('providers')
    expect(reply).toMatchObject({ status: 401, body: FAULT })
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
    expect(reply.headers.get('x-openstack-request-id')).toMatch(/^req-/)
  })

  it.each([
    ['X-Auth-Token', () => withToken(engine.token)],
    ['a basic password', () => withBasic('admin', engine.token)],
  ])('is nobody on a native route with %s', async (_, headers) => {
    expect((await octavia(engine.url, headers()).get('/api/v1/projects')).status).toBe(401)
  })

  it('is nobody there with an expired token', async () => {
    const { token } = await issue(engine, await createUser(engine, { plane: 'admin' }), { state: 'expired' })
    expect((await octavia(engine.url, withToken(token)).get('providers')).status).toBe(401)
  })

  it('may not change what its role only sees', async () => {
    const { token } = await callerWith(engine, { plane: 'viewer' })
    const reply = await octavia(engine.url, withToken(token)).post('flavors', { flavor: {} })
    expect(reply).toMatchObject({ status: 403, body: FAULT })
  })
})

describe('without credentials, where the setting names a project', () => {
  let project: string
  const nobody = (headers = {}) => octavia(engine.url, headers)

  beforeAll(async () => {
    project = await createProject(engine)
    await engine.http.put('/api/v1/settings/octavia.anonymousProject', { value: [project] })
    await eventually(async () => expect((await nobody().get('providers')).status).toBe(200))
  })
  afterAll(() => engine.http.put('/api/v1/settings/octavia.anonymousProject', { value: [] }))

  it('one is of that project, and of no other', async () => {
    await createProject(engine)
    const { projects } = (await nobody().get('/projects')).body
    expect(projects.map(({ id }: { id: string }) => id)).toEqual([project])
  })

  it("one is of it with the word that OpenStack's clients send for no token", async () => {
    expect((await nobody(withToken('notused')).get('providers')).status).toBe(200)
    expect((await nobody(withToken('unused')).get('providers')).status).toBe(401)
  })

  it('one may keep flavors', async () => {
    expect((await nobody().get('flavorprofiles')).status).toBe(200)
  })

  it('one finds nothing in other projects, and is not refused', async () => {
    const other = await createProject(engine)
    expect(await nobody().get(`loadbalancers?project_id=${other}`)).toMatchObject({
      status: 200,
      body: { loadbalancers: [] },
    })
  })

  it('one is nobody on a native route', async () => {
    expect((await nobody().get('/api/v1/projects')).status).toBe(401)
  })

  it.each(['x-forwarded-for', 'forwarded', 'origin', 'sec-fetch-site'])(
    'one is nobody when %s says that it may be somebody else',
    async (name) => {
      expect((await nobody({ [name]: 'for=192.0.2.1' }).get('providers')).status).toBe(401)
    },
  )

  it('takes one project alone, by its id', async () => {
    for (const value of [[project, DEFAULT_PROJECT], ['default']]) {
      expect((await engine.http.put('/api/v1/settings/octavia.anonymousProject', { value })).status).toBe(422)
    }
  })
})

describe('what goes wrong on the Octavia API', () => {
  it.each([
    ['a path where nothing is', 'GET', 'nothing', undefined, 404],
    ['a method that it does not take', 'DELETE', 'providers', undefined, 405],
    ['a body that is no JSON', 'POST', 'flavors', '{', 400],
    ['a body without its envelope', 'POST', 'flavors', { name: 'a' }, 400],
    ['an empty body', 'POST', 'flavors', {}, 400],
    ['an unknown attribute', 'POST', 'flavors', { flavor: { colour: 'red' } }, 400],
    ['an id that is none', 'GET', 'flavors/none', undefined, 404],
    ['a filter that is none', 'GET', 'flavors?colour=red', undefined, 400],
    ['a limit that is none', 'GET', 'flavors?limit=few', undefined, 400],
    ['a marker that is none', 'GET', `flavors?marker=${DEFAULT_PROJECT}`, undefined, 400],
    ['a sort key that is none', 'GET', 'flavors?sort=colour', undefined, 400],
    ['a provider that is none', 'GET', 'providers/none/flavor_capabilities', undefined, 400],
  ])('%s is told as Octavia tells it', async (_, method, path, body, status) => {
    const call = { GET: () => admin.get(path), POST: () => admin.post(path, body), DELETE: () => admin.delete(path) }
    expect(await call[method as keyof typeof call]()).toMatchObject({ status, body: FAULT })
  })
})

describe('flavors and availability zones', () => {
  it.each([
    ['flavor', 'flavors', 'flavorprofile', 'flavorprofiles', 'flavor_data', 'flavor_profile_id'],
    [
      'availability_zone',
      'availabilityzones',
      'availability_zone_profile',
      'availabilityzoneprofiles',
      'availability_zone_data',
      'availability_zone_profile_id',
    ],
  ])(
    'a %s is made of a profile, changed, listed and removed',
    async (one, many, profile, profiles, data, profileId) => {
      const content = { name: `p-${one}`, provider_name: 'haproxy', [data]: '{"a": 1}' }
      const made = await admin.post(profiles, { [profile]: content })
      expect(made).toMatchObject({ status: 201, body: { [profile]: content } })
      const { id } = made.body[profile]
      const body = { [one]: { name: `n-${one}`, [profileId]: id } }
      const offered = await admin.post(many, body)
      expect(offered).toMatchObject({
        status: 201,
        body: { [one]: { ...body[one], enabled: true, description: '' } },
      })
      const key = offered.body[one].id ?? `n-${one}`
      expect(await admin.post(many, body)).toMatchObject({ status: 409, body: FAULT })
      expect((await admin.put(`${many}/${key}`, { [one]: { enabled: 'False' } })).body[one]).toMatchObject({
        enabled: false,
      })
      const unset = { [one]: { description: null } }
      expect(await admin.put(`${many}/${key}`, unset)).toMatchObject({
        status: 200,
        body: { [one]: { description: '' } },
      })
      const listed = (await admin.get(`${many}?enabled=false&name=n-${one}`)).body
      expect(Object.values(listed)[0]).toHaveLength(1)
      expect((await admin.delete(`${profiles}/${id}`)).status).toBe(409)
      expect((await admin.put(`${profiles}/${id}`, { [profile]: { [data]: '{}' } })).status).toBe(409)
      expect((await admin.put(`${profiles}/${id}`, { [profile]: { name: 'renamed' } })).status).toBe(200)
      expect((await admin.delete(`${many}/${key}`)).status).toBe(204)
      expect((await admin.delete(`${many}/${key}`)).status).toBe(404)
      expect((await admin.delete(`${profiles}/${id}`)).status).toBe(204)
    },
  )

  it.each([
    ['a provider that there is not', { name: 'a', provider_name: 'none', flavor_data: '{}' }],
    ['data that is no JSON', { name: 'a', provider_name: 'haproxy', flavor_data: '{' }],
    ['no provider', { name: 'a', flavor_data: '{}' }],
    ['no name', { provider_name: 'haproxy', flavor_data: '{}' }],
    ['a name without end', { name: 'a'.repeat(256), provider_name: 'haproxy', flavor_data: '{}' }],
  ])('a profile with %s is refused', async (_, flavorprofile) => {
    expect(await admin.post('flavorprofiles', { flavorprofile })).toMatchObject({ status: 400, body: FAULT })
  })

  it('a flavor of a profile that there is not is refused', async () => {
    const flavor = { name: 'a', flavor_profile_id: DEFAULT_PROJECT }
    expect((await admin.post('flavors', { flavor })).status).toBe(400)
  })
})

describe('a list', () => {
  const names = ['a', 'b', 'c', 'd', 'e'].map((letter) => `page-${letter}`)

  beforeAll(async () => {
    for (const name of names) {
      await admin.post('flavorprofiles', {
        flavorprofile: { name, provider_name: name < 'page-c' ? 'nginx' : 'simulated', flavor_data: '{}' },
      })
    }
  })

  const walk = async (path: string, rel: string): Promise<string[][]> => {
    const pages: string[][] = []
    for (let next: string | undefined = path; next; ) {
      const { body } = await admin.get(next)
      pages.push(body.flavorprofiles.map(({ name }: { name: string }) => name))
      const link = body.flavorprofiles_links.find((one: { rel: string }) => one.rel === rel)
      next = link && new URL(link.href).pathname + new URL(link.href).search
    }
    return pages
  }

  it('is walked by its links, in the order of making', async () => {
    expect(await walk('flavorprofiles?limit=2', 'next')).toEqual([names.slice(0, 2), names.slice(2, 4), names.slice(4)])
  })

  it('is walked back by its links', async () => {
    const { flavorprofiles } = (await admin.get('flavorprofiles?name=page-e')).body
    const back = await walk(`flavorprofiles?limit=2&marker=${flavorprofiles[0].id}&page_reverse=True`, 'previous')
    expect(back).toEqual([names.slice(2, 4), names.slice(0, 2)])
  })

  it('keeps its filters and its order in its links', async () => {
    const pages = await walk('flavorprofiles?limit=1&provider_name=simulated&sort=name:desc', 'next')
    expect(pages).toEqual([['page-e'], ['page-d'], ['page-c']])
  })

  it('is sorted by keys that go different ways', async () => {
    const pages = await walk('flavorprofiles?limit=2&sort=provider_name:desc,name:asc', 'next')
    expect(pages.flat()).toEqual([...names.slice(2), ...names.slice(0, 2)])
    const other = await walk(
      'flavorprofiles?limit=2&sort_key=provider_name&sort_key=name&sort_dir=asc&sort_dir=desc',
      'next',
    )
    expect(other.flat()).toEqual(['page-b', 'page-a', 'page-e', 'page-d', 'page-c'])
  })

  it('is narrowed to one of repeated values, and to fields', async () => {
    const { flavorprofiles } = (await admin.get('flavorprofiles?name=page-a&name=page-c&fields=name&fields=id')).body
    expect(flavorprofiles.map(({ name }: { name: string }) => name)).toEqual(['page-a', 'page-c'])
    expect(Object.keys(flavorprofiles[0]).sort()).toEqual(['id', 'name'])
  })
})

describe('quotas', () => {
  const unlimited = { load_balancer: -1, loadbalancer: -1, listener: -1, pool: -1, member: -1, health_monitor: -1 }
  let project: string
  beforeEach(async () => {
    project = await createProject(engine)
  })

  it('are those of the plane, -1 where there is none', async () => {
    expect((await admin.get('quotas/defaults')).body.quota).toMatchObject(unlimited)
    expect((await admin.get(`quotas/${project}`)).body.quota).toMatchObject(unlimited)
    await engine.http.put(`/api/v1/projects/${project}/quotas`, { guests: 7, members: 3 })
    const put = await admin.put(`quotas/${project}`, { quota: { load_balancer: '5', health_monitor: 2, member: -1 } })
    expect(put).toMatchObject({ status: 202, body: { quota: { loadbalancer: 5, healthmonitor: 2, member: -1 } } })
    expect((await engine.http.get(`/api/v1/projects/${project}/quotas`)).body).toMatchObject({
      guests: { limit: 7 },
      loadBalancers: { limit: 5 },
      members: { limit: null },
    })
    const { quotas } = (await admin.get('quotas')).body
    expect(quotas).toContainEqual(expect.objectContaining({ project_id: project, load_balancer: 5 }))
  })

  it('go back to none, once', async () => {
    await admin.put(`quotas/${project}`, { quota: { pool: 1 } })
    expect((await admin.delete(`quotas/${project}`)).status).toBe(202)
    expect((await admin.get(`quotas/${project}`)).body.quota).toMatchObject(unlimited)
    expect((await admin.delete(`quotas/${project}`)).status).toBe(404)
  })

  it.each([[{ quota: { pool: -2 } }], [{ quota: { pool: 'many' } }], [{ quota: { colour: 1 } }], [{}]])(
    '%j is refused',
    async (body) => {
      expect(await admin.put(`quotas/${project}`, body)).toMatchObject({ status: 400, body: FAULT })
    },
  )

  it('of a project that there is not is 404', async () => {
    expect((await admin.put(`quotas/${DEFAULT_PROJECT.replace('d0d0', 'beef')}`, { quota: {} })).status).toBe(404)
  })

  it('are set by nobody but administrators of the plane', async () => {
    const { token } = await callerWith(engine, { projects: { [project]: 'admin' } })
    const own = octavia(engine.url, withToken(token))
    expect((await own.get(`quotas/${project}`)).status).toBe(200)
    expect((await own.put(`quotas/${project}`, { quota: { pool: 5 } })).status).toBe(403)
  })
})

describe('look-ups of the client', () => {
  it('finds a network and its one subnet, by id and name', async () => {
    const { body } = await engine.http.post('/api/v1/networks', { name: 'public', cidr: '192.0.2.0/24' })
    for (const query of ['name=public', `id=${body.id}`]) {
      expect((await admin.get(`/v2.0/subnets?${query}`)).body.subnets).toMatchObject([{ id: body.id, ip_version: 4 }])
      expect((await admin.get(`/v2.0/networks?${query}`)).body.networks).toMatchObject([
        { id: body.id, name: 'public' },
      ])
    }
    for (const query of ['name=other', 'id=none']) {
      expect((await admin.get(`/v2.0/subnets?${query}`)).body.subnets).toEqual([])
    }
  })

  it('finds no ports and no policies of quality, as there are none', async () => {
    expect((await admin.get('/v2.0/ports?id=none')).body).toEqual({ ports: [] })
    expect((await admin.get('/v2.0/qos/policies?name=none')).body).toEqual({ policies: [] })
  })

  it('finds a project by its id, and lists it by name', async () => {
    const project = await createProject(engine, 'looked-up')
    expect((await admin.get(`/projects/${project}`)).body.project).toMatchObject({ id: project, name: 'looked-up' })
    expect((await admin.get('/v3/projects?name=looked-up')).body.projects).toMatchObject([{ id: project }])
    expect(await admin.get('/projects/looked-up')).toMatchObject({ status: 404, body: FAULT })
  })

  it('says which version it speaks, to anyone', async () => {
    expect((await octavia(engine.url, {}).get('/v2.0')).body.versions).toContainEqual(
      expect.objectContaining({ id: 'v2.0', status: 'SUPPORTED' }),
    )
  })
})
