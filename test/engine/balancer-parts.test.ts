import { randomUUID } from 'node:crypto'
import { callerWith, createProject } from '../support/callers.js'
import { eventually } from '../support/eventually.js'
import type { Body, HttpReply } from '../support/http.js'
import type { WireAgent } from '../support/wire-agent.js'
import { type BalancingEngine, balancingAgent, startBalancingEngine } from './support/balancing.js'

let engine: BalancingEngine
let agent: WireAgent
/** One with a listener and its pool, to which each test adds. */
let shop: { id: string; listenerId: string; poolId: string }

beforeAll(async () => {
  engine = await startBalancingEngine()
  agent = await balancingAgent(engine, 'b1')
})
beforeEach(async () => {
  const defaultPool = { name: 'web', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' }
  const listeners = [{ protocol: 'HTTP', protocolPort: 80, defaultPool }]
  const body = { name: `lb-${randomUUID()}`, vipNetworkId: engine.networkId, listeners }
  const { id, ...under } = await inForce(engine.http.post('/api/v1/load-balancers', body))
  shop = { id, listenerId: under.listeners[0].id, poolId: under.pools[0].id }
})
afterAll(async () => {
  agent?.vanish()
  await engine?.stop()
})

/** The body of a change that its host has carried out. */
async function inForce(reply: Promise<HttpReply<Body>>): Promise<Body> {
  const { status, body } = await reply
  expect([status, body.faults, body.detail]).toEqual([202, undefined, undefined])
  await agent.report(await agent.command())
  return body
}

const refused = async (reply: Promise<HttpReply<Body>>): Promise<[number, string]> => {
  const { status, body } = await reply
  return [status, body.type.replace('urn:keelson:problem:', '')]
}

const get = async (path: string): Promise<Body> => (await engine.http.get(`/api/v1/${path}`)).body
const post = (path: string, body: object) => engine.http.post(`/api/v1/${path}`, body)
const patch = (path: string, body: object) => engine.http.patch(`/api/v1/${path}`, body)

/** Shown as leaving, and gone when the host has taken the change. */
async function goes(path: string): Promise<void> {
  expect(await inForce(engine.http.delete(`/api/v1/${path}`))).toMatchObject({
    provisioningStatus: 'PENDING_DELETE',
    actions: [],
  })
  await eventually(async () => expect((await engine.http.get(`/api/v1/${path}`)).status).toBe(404))
}

describe('listeners', () => {
  it('are made, changed and removed, each by a generation of their balancer', async () => {
    const body = {
      loadBalancerId: shop.id,
      protocol: 'TCP',
      protocolPort: 22,
      name: 'ssh',
      allowedCidrs: ['10.0.0.0/8'],
    }
    const made = await inForce(post('listeners', body))
    expect(made).toMatchObject({ ...body, provisioningStatus: 'PENDING_CREATE', generation: 2, connectionLimit: -1 })
    expect(await get(`listeners/${made.id}`)).toMatchObject({
      provisioningStatus: 'ACTIVE',
      actions: ['update', 'delete'],
    })
    const changed = await inForce(patch(`listeners/${made.id}`, { connectionLimit: 10, allowedCidrs: null }))
    expect(changed).toMatchObject({ connectionLimit: 10, allowedCidrs: [], name: 'ssh', generation: 3 })
    await goes(`listeners/${made.id}`)
  })

  it('are shown DELETED to who waits until they are gone', async () => {
    const options = { headers: { prefer: 'wait=30' } }
    const reply = engine.http.delete(`/api/v1/listeners/${shop.listenerId}`, options)
    await agent.report(await agent.command())
    expect((await reply).body).toMatchObject({ id: shop.listenerId, provisioningStatus: 'DELETED', actions: [] })
    const all = engine.http.delete(`/api/v1/load-balancers/${shop.id}?cascade=true`, options)
    await agent.report(await agent.command())
    expect((await all).body).toMatchObject({ id: shop.id, provisioningStatus: 'DELETED', actions: [] })
  })

  it('are refused a port that is taken, a pool that is not there and a field that stays', async () => {
    const body = { loadBalancerId: shop.id, protocol: 'HTTP', protocolPort: 80 }
    expect(await refused(post('listeners', body))).toEqual([409, 'port-taken'])
    const elsewhere = { ...body, protocolPort: 81, defaultPoolId: randomUUID() }
    expect(await refused(post('listeners', elsewhere))).toEqual([404, 'not-found'])
    expect(await refused(patch(`listeners/${shop.listenerId}`, { protocolPort: 81 }))).toEqual([422, 'invalid'])
    expect(await refused(post('listeners', { ...body, loadBalancerId: randomUUID() }))).toEqual([404, 'not-found'])
  })

  it('are listed of one balancer', async () => {
    const { items } = await get(`listeners?loadBalancerId=${shop.id}&protocol=HTTP`)
    expect(items).toMatchObject([{ id: shop.listenerId, defaultPoolId: shop.poolId, l7Policies: [] }])
    expect((await get(`listeners?loadBalancerId=${shop.id}&protocol=TCP`)).items).toEqual([])
  })
})

describe('pools', () => {
  it('are made for a balancer or a listener, and one of the two is said', async () => {
    const body = { protocol: 'HTTP', lbAlgorithm: 'LEAST_CONNECTIONS' }
    expect(await refused(post('pools', body))).toEqual([422, 'invalid'])
    expect(await refused(post('pools', { ...body, listenerId: shop.listenerId }))).toEqual([409, 'pool-taken'])
    const made = await inForce(post('pools', { ...body, loadBalancerId: shop.id }))
    expect(made).toMatchObject({ listeners: [], members: [], healthMonitorId: null, sessionPersistence: null })
    await goes(`pools/${made.id}`)
  })

  it('show who leads to them, and are let go by listeners when they are removed', async () => {
    expect(await get(`pools/${shop.poolId}`)).toMatchObject({ listeners: [{ id: shop.listenerId }] })
    await goes(`pools/${shop.poolId}`)
    expect(await get(`listeners/${shop.listenerId}`)).toMatchObject({ defaultPoolId: null })
    const body = { listenerId: shop.listenerId, protocol: 'HTTP', lbAlgorithm: 'SOURCE_IP' }
    const made = await inForce(post('pools', body))
    expect(await get(`listeners/${shop.listenerId}`)).toMatchObject({ defaultPoolId: made.id })
  })

  it('keep a client by its cookie', async () => {
    const sessionPersistence = { type: 'APP_COOKIE', cookieName: 'sid' }
    expect(await inForce(patch(`pools/${shop.poolId}`, { sessionPersistence }))).toMatchObject({ sessionPersistence })
    const without = { sessionPersistence: { type: 'APP_COOKIE', cookieName: null } }
    expect(await refused(patch(`pools/${shop.poolId}`, without))).toEqual([422, 'invalid'])
  })
})

describe('members', () => {
  const members = () => `pools/${shop.poolId}/members`
  const one = { address: '192.0.2.21', protocolPort: 8080 }

  it('are made, changed and removed in their pool', async () => {
    const made = await inForce(post(members(), { ...one, weight: 5 }))
    expect(made).toMatchObject({ ...one, weight: 5, backup: false, poolId: shop.poolId, loadBalancerId: shop.id })
    expect(await refused(post(members(), one))).toEqual([409, 'member-taken'])
    expect(await inForce(patch(`${members()}/${made.id}`, { weight: 0 }))).toMatchObject({ weight: 0 })
    expect(await refused(patch(`${members()}/${made.id}`, { address: '192.0.2.1' }))).toEqual([422, 'invalid'])
    expect(await get(`pools/${shop.poolId}`)).toMatchObject({ members: [{ id: made.id }] })
    await goes(`${members()}/${made.id}`)
  })

  it('are in a network of their project or of everybody, which stays while they say so', async () => {
    const named = (networkId: string) => post(members(), { address: '203.0.113.7', protocolPort: 80, networkId })
    const project = await createProject(engine)
    const cidr = '203.0.113.0/24'
    const foreign = await post('networks', { name: 'foreign', cidr, projectId: project })
    for (const id of [randomUUID(), foreign.body.id])
      expect(await named(id)).toMatchObject({ status: 422, body: { faults: [{ field: 'networkId' }] } })
    const { body: network } = await post('networks', { name: 'of-members', cidr: '198.51.100.0/24' })
    const member = await inForce(named(network.id))
    expect(member).toMatchObject({ networkId: network.id })
    expect(await engine.http.delete(`/api/v1/networks/${network.id}`)).toMatchObject({
      status: 409,
      body: { users: [{ noun: 'member', id: member.id }] },
    })
    await goes(`${members()}/${member.id}`)
    expect((await engine.http.delete(`/api/v1/networks/${network.id}`)).status).toBe(204)
  })

  it('are nobody of another pool', async () => {
    const made = await inForce(post(members(), one))
    const other = await inForce(
      post('pools', { loadBalancerId: shop.id, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' }),
    )
    for (const path of [`pools/${other.id}/members/${made.id}`, `pools/${randomUUID()}/members`]) {
      expect((await engine.http.get(`/api/v1/${path}`)).status).toBe(404)
    }
    expect(await refused(patch(`pools/${other.id}/members/${made.id}`, { weight: 1 }))).toEqual([404, 'not-found'])
    expect((await get(`pools/${other.id}/members`)).items).toEqual([])
  })

  it('are said anew all at once, in one generation', async () => {
    const kept = await inForce(post(members(), { ...one, weight: 5 }))
    const put = (body: object) => engine.http.put(`/api/v1/${members()}`, body)
    const next = await inForce(
      put({
        members: [
          { ...one, name: 'a' },
          { address: '192.0.2.22', protocolPort: 8080 },
        ],
      }),
    )
    expect(next).toMatchObject({ id: shop.poolId, generation: 3, members: [{ id: kept.id }, {}] })
    await inForce(put({ members: [{ address: '192.0.2.23', protocolPort: 8080 }], additive: true }))
    const listed = async () => (await get(`${members()}?sort=address`)).items
    expect(await listed()).toMatchObject([{ id: kept.id, name: 'a', weight: 5 }, {}, { address: '192.0.2.23' }])
    await inForce(put({ members: [] }))
    await eventually(async () => expect(await listed()).toEqual([]))
  })
})

describe('health monitors', () => {
  it('are made, changed and removed, one for a pool', async () => {
    const body = { poolId: shop.poolId, type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 }
    const made = await inForce(post('health-monitors', body))
    expect(made).toMatchObject({ ...body, httpMethod: 'GET', urlPath: '/', expectedCodes: '200', maxRetriesDown: 3 })
    expect(await refused(post('health-monitors', body))).toEqual([409, 'monitor-taken'])
    expect(await inForce(patch(`health-monitors/${made.id}`, { urlPath: '/health' }))).toMatchObject({ delay: 5 })
    expect(await get(`pools/${shop.poolId}`)).toMatchObject({ healthMonitorId: made.id })
    await goes(`health-monitors/${made.id}`)
  })

  it('say nothing of HTTP where they only connect', async () => {
    const body = { poolId: shop.poolId, type: 'TCP', delay: 5, timeout: 3, maxRetries: 2, urlPath: '/' }
    expect(await refused(post('health-monitors', body))).toEqual([422, 'invalid'])
  })
})

describe('L7 policies and their rules', () => {
  const policy = (more: object = {}) => ({ listenerId: shop.listenerId, action: 'REJECT', ...more })

  it('stand in an order without gaps', async () => {
    const first = await inForce(post('l7-policies', policy()))
    const second = await inForce(post('l7-policies', policy({ position: 1 })))
    const order = async () => (await get(`listeners/${shop.listenerId}`)).l7Policies.map(({ id }: Body) => id)
    expect(await order()).toEqual([second.id, first.id])
    expect(await inForce(patch(`l7-policies/${second.id}`, { position: 9 }))).toMatchObject({ position: 2 })
    expect(await order()).toEqual([first.id, second.id])
    await goes(`l7-policies/${first.id}`)
    expect(await get(`l7-policies/${second.id}`)).toMatchObject({ position: 1, provisioningStatus: 'ACTIVE' })
  })

  it('keep the pool that they lead to from being removed', async () => {
    const led = policy({ action: 'REDIRECT_TO_POOL', redirectPoolId: shop.poolId })
    expect(await inForce(post('l7-policies', led))).toMatchObject({
      redirectPoolId: shop.poolId,
      redirectHttpCode: null,
    })
    expect(await refused(engine.http.delete(`/api/v1/pools/${shop.poolId}`))).toEqual([409, 'pool-in-use'])
    expect(await refused(post('l7-policies', policy({ action: 'REDIRECT_TO_URL' })))).toEqual([422, 'invalid'])
  })

  it('have rules that are made, changed and removed', async () => {
    const { id } = await inForce(post('l7-policies', policy()))
    const rules = `l7-policies/${id}/rules`
    const body = { type: 'HEADER', compareType: 'EQUAL_TO', key: 'X-Channel', value: 'beta' }
    const rule = await inForce(post(rules, body))
    expect(rule).toMatchObject({ ...body, l7PolicyId: id, invert: false })
    expect(await get(`l7-policies/${id}`)).toMatchObject({ rules: [{ id: rule.id }] })
    expect(await inForce(patch(`${rules}/${rule.id}`, { invert: true }))).toMatchObject({ invert: true, value: 'beta' })
    expect(await refused(patch(`${rules}/${rule.id}`, { key: null }))).toEqual([422, 'invalid'])
    expect((await get(rules)).items).toMatchObject([{ id: rule.id }])
    await goes(`${rules}/${rule.id}`)
  })
})

describe('what stands under a load balancer', () => {
  it('is refused when its provider cannot do it', async () => {
    await engine.query(`UPDATE load_balancers SET provider = 'nginx' WHERE id = $1`, [shop.id])
    const body = { type: 'PING', poolId: shop.poolId, delay: 5, timeout: 3, maxRetries: 2 }
    const reply = await post('health-monitors', body)
    expect(reply.status).toBe(501)
    expect(reply.body).toMatchObject({ provider: 'nginx', feature: 'ping-monitor' })
  })

  it('is nothing to who may not see its project, and not changed by who only may see it', async () => {
    const stranger = await callerWith(engine, { projects: { [await createProject(engine)]: 'admin' } })
    const { projectId } = await get(`load-balancers/${shop.id}`)
    const viewer = await callerWith(engine, { projects: { [projectId]: 'viewer' } })
    for (const path of [`listeners/${shop.listenerId}`, `pools/${shop.poolId}`]) {
      expect((await stranger.http.get(`/api/v1/${path}`)).status).toBe(404)
      expect((await stranger.http.delete(`/api/v1/${path}`)).status).toBe(404)
      expect((await viewer.http.get(`/api/v1/${path}`)).status).toBe(200)
      expect((await viewer.http.patch(`/api/v1/${path}`, { name: 'x' })).status).toBe(403)
    }
    expect((await stranger.http.get(`/api/v1/pools/${shop.poolId}/members`)).status).toBe(404)
  })
})
