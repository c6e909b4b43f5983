import { callerWith, createProject } from '../support/callers.js'
import type { Body } from '../support/http.js'
import { octavia, withToken } from './support/octavia.js'
import { FAULT, NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body

beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer({ name: 'a' })
  await world.becomesActive(`loadbalancers/${lb.id}`)
})
afterAll(() => world?.stop())

/** As a client that speaks HTTP in its own way. */
const send = (method: string, path: string, headers: Record<string, string> = {}, body?: string) =>
  fetch(new URL(path.startsWith('/') ? path : `/v2.0/lbaas/${path}`, world.engine.url), {
    method,
    headers: { 'x-auth-token': world.engine.token, ...headers },
    ...(body === undefined ? {} : { body }),
  })

const json = { 'content-type': 'application/json' }

describe('the versions of the Octavia API', () => {
  it.each(['/v2', '/v2.0', '/v2/', '/v2.0/'])('are told at %s to anyone', async (path) => {
    const reply = await fetch(new URL(path, world.engine.url))
    expect(reply.status).toBe(200)
    const { versions } = await reply.json()
    expect(versions).toContainEqual({
      ...{ id: 'v2.0', updated: expect.any(String), status: expect.stringMatching(/^(SUPPORTED|CURRENT)$/) },
      links: [{ rel: 'self', href: expect.stringMatching(/\/v2(\.0)?$/) }],
    })
    expect(versions.filter(({ status }: Body) => status === 'CURRENT')).toHaveLength(1)
  })

  it('are told at the root to who wants JSON', async () => {
    const reply = await fetch(world.engine.url, { headers: { accept: 'application/json' } })
    expect(reply.status).toBe(200)
    expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
    expect((await reply.json()).versions).toContainEqual(expect.objectContaining({ id: 'v2.0' }))
  })

  it('tell what clients look for: tags, flavors, batches that only add, availability zones', async () => {
    const { versions } = (await world.client.get('/v2.0')).body
    const ids = versions.map(({ id }: Body) => id)
    for (const id of ['v2.5', 'v2.6', 'v2.11', 'v2.12', 'v2.14', 'v2.19']) expect(ids).toContain(id)
  })
})

describe('a client of the Octavia API that speaks HTTP in its own way', () => {
  it.each(['application/json', '*/*', 'application/json, text/plain;q=0.5'])(
    'may accept %s, and gets JSON',
    async (accept) => {
      const reply = await send('GET', 'loadbalancers', { accept })
      expect(reply.status).toBe(200)
      expect(reply.headers.get('content-type')).toMatch(/^application\/json/)
    },
  )

  it('may say that it sends JSON where it sends nothing', async () => {
    for (const path of ['loadbalancers', `loadbalancers/${lb.id}`])
      expect((await send('GET', path, json)).status).toBe(200)
    expect((await send('PUT', `loadbalancers/${lb.id}/failover`, json)).status).toBe(202)
    await world.becomesActive(`loadbalancers/${lb.id}`)
    const other = await world.balancer()
    expect((await send('DELETE', `loadbalancers/${other.id}`, json)).status).toBe(204)
  })

  it('may send an empty object with a failover', async () => {
    expect((await send('PUT', `loadbalancers/${lb.id}/failover`, json, '{}')).status).toBe(202)
    await world.becomesActive(`loadbalancers/${lb.id}`)
  })

  it('may say the charset of its JSON', async () => {
    const body = JSON.stringify({ loadbalancer: { description: 'ä' } })
    const reply = await send(
      'PUT',
      `loadbalancers/${lb.id}`,
      { 'content-type': 'application/json; charset=UTF-8' },
      body,
    )
    expect((await reply.json()).loadbalancer.description).toBe('ä')
  })

  it('may end a path with a slash', async () => {
    for (const path of ['loadbalancers/', `loadbalancers/${lb.id}/`]) expect((await send('GET', path)).status).toBe(200)
  })

  it('may ask for the head alone', async () => {
    const reply = await send('HEAD', `loadbalancers/${lb.id}`)
    expect(reply.status).toBe(200)
    expect(await reply.text()).toBe('')
  })

  it('hears of a method that there is not', async () => {
    for (const method of ['PATCH', 'POST', 'OPTIONS'])
      expect([404, 405]).toContain((await send(method, `loadbalancers/${lb.id}`)).status)
  })

  it('hears of a body that is no JSON, or none at all', async () => {
    for (const [headers, body] of [
      [json, '{'],
      [json, '[]'],
      [json, '""'],
      [json, 'null'],
      [json, undefined],
      [{}, undefined],
    ] as const) {
      const reply = await send('POST', 'loadbalancers', headers, body)
      expect(reply.status).toBe(400)
      expect(await reply.json()).toMatchObject(FAULT)
    }
  })

  it('has the id of each request told', async () => {
    for (const path of ['loadbalancers', `loadbalancers/${NOBODY}`])
      expect((await send('GET', path)).headers.get('x-openstack-request-id')).toMatch(/^req-[0-9a-f-]{36}$/)
  })

  it('may ask for ids in upper case', async () => {
    const { body } = await world.client.get(`loadbalancers/${lb.id.toUpperCase()}`)
    expect(body.loadbalancer.id).toBe(lb.id)
  })
})

describe('amphorae', () => {
  it('are none, as there is no machine to a balancer', async () => {
    for (const base of ['/v2.0/octavia', '/v2/octavia']) {
      expect((await world.client.get(`${base}/amphorae`)).body).toEqual({ amphorae: [], amphorae_links: [] })
      expect((await world.client.get(`${base}/amphorae?loadbalancer_id=${lb.id}`)).body.amphorae).toEqual([])
    }
    for (const path of ['', '/stats']) {
      const reply = await world.client.get(`/v2.0/octavia/amphorae/${NOBODY}${path}`)
      expect(reply).toMatchObject({ status: 404, body: FAULT })
    }
    for (const path of ['failover', 'config'])
      expect((await world.client.put(`/v2.0/octavia/amphorae/${NOBODY}/${path}`)).status).toBe(404)
    expect((await world.client.delete(`/v2.0/octavia/amphorae/${NOBODY}`)).status).toBe(404)
  })

  it('are asked for by administrators of the plane alone', async () => {
    const { token } = await callerWith(world.engine, { projects: { [await createProject(world.engine)]: 'admin' } })
    expect((await octavia(world.engine.url, withToken(token)).get('/v2.0/octavia/amphorae')).status).toBe(403)
  })
})

describe('of another project', () => {
  it('a list is refused to who may not see it, and empty to who may', async () => {
    const [own, other] = [await createProject(world.engine), await createProject(world.engine)]
    const { token } = await callerWith(world.engine, { projects: { [own]: 'viewer' } })
    const viewer = octavia(world.engine.url, withToken(token))
    for (const many of ['loadbalancers', 'listeners', 'pools', 'healthmonitors', 'l7policies']) {
      expect(await viewer.get(`${many}?project_id=${other}`)).toMatchObject({ status: 403, body: FAULT })
      expect((await viewer.get(`${many}?project_id=${own}`)).body[many]).toEqual([])
      expect((await world.client.get(`${many}?project_id=${other}`)).body[many]).toEqual([])
    }
  })

  it('a balancer is not made', async () => {
    const [own, other] = [await createProject(world.engine), await createProject(world.engine)]
    const { token } = await callerWith(world.engine, { projects: { [own]: 'operator' } })
    const reply = await octavia(world.engine.url, withToken(token)).post('loadbalancers', {
      loadbalancer: { vip_subnet_id: world.subnet, project_id: other },
    })
    expect(reply).toMatchObject({ status: 403, body: FAULT })
  })

  it('is what an administrator makes there, by either name of the project', async () => {
    const project = await createProject(world.engine)
    for (const name of ['project_id', 'tenant_id']) {
      const { project_id, tenant_id } = await world.balancer({ [name]: project })
      expect([project_id, tenant_id]).toEqual([project, project])
    }
    expect((await world.client.get(`loadbalancers?project_id=${project}`)).body.loadbalancers).toHaveLength(2)
    expect((await world.client.get(`loadbalancers?tenant_id=${project}`)).body.loadbalancers).toHaveLength(2)
  })
})

describe('providers', () => {
  it('are names with descriptions, narrowed to fields', async () => {
    const { providers } = (await world.client.get('providers')).body
    expect(providers).toContainEqual({ name: 'haproxy', description: expect.any(String) })
    expect((await world.client.get('providers?fields=name')).body.providers).toContainEqual({ name: 'haproxy' })
  })

  it.each(['flavor_capabilities', 'availability_zone_capabilities'])('%s are a list', async (what) => {
    const { status, body } = await world.client.get(`providers/haproxy/${what}`)
    expect(status).toBe(200)
    expect(body[what]).toEqual(expect.any(Array))
    expect((await world.client.get(`providers/haproxy/${what}?name=none&fields=name`)).body[what]).toEqual([])
    for (const { name } of body[what]) {
      const narrowed = await world.client.get(`providers/haproxy/${what}?name=${name}&fields=name`)
      expect(narrowed.body[what]).toEqual([{ name }])
    }
    expect(await world.client.get(`providers/none/${what}`)).toMatchObject({ status: 400, body: FAULT })
  })
})
