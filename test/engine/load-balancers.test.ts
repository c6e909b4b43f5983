import { randomUUID } from 'node:crypto'
import { callerWith, createProject } from '../support/callers.js'
import { eventually } from '../support/eventually.js'
import type { Body, HttpReply } from '../support/http.js'
import type { WireAgent } from '../support/wire-agent.js'
import { type BalancingEngine, balancingAgent, startBalancingEngine } from './support/balancing.js'

let engine: BalancingEngine
let agent: WireAgent

beforeAll(async () => {
  engine = await startBalancingEngine()
  agent = await balancingAgent(engine, 'b1')
})
afterAll(async () => {
  agent?.vanish()
  await engine?.stop()
})

const BALANCERS = '/api/v1/load-balancers'
const pathOf = (id: string) => `${BALANCERS}/${id}`
const bodyOf = (more: object = {}) => ({ name: `lb-${randomUUID()}`, vipNetworkId: engine.networkId, ...more })
const web = { name: 'web', protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' }
const listener = { protocol: 'HTTP', protocolPort: 80 }

/** A change that its host has carried out. */
async function inForce(reply: Promise<HttpReply<Body>>): Promise<HttpReply<Body>> {
  const answered = await reply
  expect(answered.status).toBe(202)
  await agent.report(await agent.command())
  return answered
}

const made = async (more: object = {}): Promise<Body> => (await inForce(engine.http.post(BALANCERS, bodyOf(more)))).body

const faultsOf = ({ body }: HttpReply<Body>): string[] => body.faults.map(({ field }: Body) => field)

describe('a load balancer over REST', () => {
  it('is answered with its address, its command and its version, and is ACTIVE once its host has it', async () => {
    const reply = await engine.http.post(BALANCERS, bodyOf({ description: 'for customers', tags: ['shop'] }))
    expect(reply.status).toBe(202)
    expect(reply.body).toMatchObject({
      description: 'for customers',
      tags: ['shop'],
      adminStateUp: true,
      vipNetworkId: engine.networkId,
      vipAddress: expect.stringMatching(/^192\.0\.2\./),
      provider: 'simulated',
      provisioningStatus: 'PENDING_CREATE',
      actions: ['delete'],
      listeners: [],
      pools: [],
    })
    expect(reply.headers.get('location')).toBe(`/api/v1/commands/${reply.body.commandId}`)
    expect(reply.headers.get('etag')).toBe('"g1"')
    await agent.report(await agent.command())
    const shown = await engine.http.get(pathOf(reply.body.id))
    expect(shown.body).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 1, actions: ['update', 'delete'] })
  })

  it('is made with all under it, and shows the statuses of all of it', async () => {
    const defaultPool = {
      ...web,
      members: [{ address: '192.0.2.21', protocolPort: 8080 }],
      healthMonitor: { type: 'HTTP', delay: 5, timeout: 3, maxRetries: 2 },
    }
    const rules = [{ type: 'PATH', compareType: 'STARTS_WITH', value: '/api' }]
    const l7Policies = [{ action: 'REDIRECT_TO_POOL', redirectPool: { name: 'api' }, rules }]
    const { id, listeners, pools } = await made({
      listeners: [{ ...listener, name: 'front', defaultPool, l7Policies }],
      pools: [{ ...web, name: 'api' }],
    })
    expect([listeners, pools]).toEqual([[{ id: expect.any(String) }], Array(2).fill({ id: expect.any(String) })])
    const { body } = await engine.http.get(`${pathOf(id)}/status`)
    expect(body).toMatchObject({
      id,
      provisioningStatus: 'ACTIVE',
      listeners: [
        {
          name: 'front',
          provisioningStatus: 'ACTIVE',
          pools: expect.arrayContaining([
            expect.objectContaining({ name: 'web' }),
            expect.objectContaining({ name: 'api' }),
          ]),
          l7Policies: [{ action: 'REDIRECT_TO_POOL', rules: [{ type: 'PATH', provisioningStatus: 'ACTIVE' }] }],
        },
      ],
    })
    expect(body.pools.find(({ name }: Body) => name === 'web')).toMatchObject({
      members: [{ address: '192.0.2.21', protocolPort: 8080, provisioningStatus: 'ACTIVE' }],
      healthMonitor: { type: 'HTTP' },
    })
  })

  it('is refused whole where a part of it cannot be, and nothing is stored', async () => {
    const name = randomUUID()
    const cases: [object, number, string[] | string][] = [
      [{ vipNetworkId: undefined }, 422, ['vipNetworkId']],
      [{ name: 'n'.repeat(256) }, 422, ['name']],
      [{ name: 'a\nb' }, 422, ['name']],
      [{ provider: 'unknown' }, 422, ['provider']],
      [{ vipSubnet: 'x' }, 422, ['vipSubnet']],
      [{ listeners: [{ ...listener, protocolPort: 0 }] }, 422, ['listeners[0].protocolPort']],
      [{ listeners: [{ ...listener, timeoutClientData: 2 ** 31 }] }, 422, ['listeners[0].timeoutClientData']],
      [{ listeners: [{ ...listener, insertHeaders: { a: 'b' } }] }, 422, ['listeners[0].insertHeaders']],
      [{ listeners: [{ ...listener, defaultPool: { name: 'x' } }] }, 422, ['listeners[0].defaultPool.name']],
      [{ pools: [web, web] }, 422, ['pools[1].name']],
      [{ listeners: [listener, listener] }, 409, 'port-taken'],
    ]
    for (const [more, status, found] of cases) {
      const reply = await engine.http.post(BALANCERS, bodyOf({ name, ...more }), { headers: {} })
      expect([more, reply.status]).toEqual([more, status])
      if (typeof found === 'string') expect(reply.body.type).toBe(`urn:keelson:problem:${found}`)
      else expect(faultsOf(reply)).toEqual(found)
    }
    expect((await engine.http.get(`${BALANCERS}?name=${name}`)).body.items).toEqual([])
  })

  it('is changed against the version that was read, and not by what it says already', async () => {
    const { id } = await made()
    const patch = (body: object, headers: Record<string, string> = {}) =>
      engine.http.patch(pathOf(id), body, { headers })
    expect((await patch({ name: 'x' }, { 'if-match': '"g7"' })).status).toBe(412)
    const changed = await inForce(patch({ name: 'x', adminStateUp: false }, { 'if-match': '"g1"' }))
    expect(changed.body).toMatchObject({ name: 'x', adminStateUp: false, generation: 2 })
    const same = await patch({ name: 'x' })
    expect([same.status, same.body.generation, same.body.provisioningStatus]).toEqual([202, 2, 'ACTIVE'])
    const back = await inForce(patch({ name: null, adminStateUp: null }))
    expect(back.body).toMatchObject({ name: '', adminStateUp: true })
    expect((await patch({ vipAddress: '192.0.2.9' })).status).toBe(422)
  })

  it('refuses a change while one is pending, or takes it into the next generation where that is preferred', async () => {
    const { id } = (await engine.http.post(BALANCERS, bodyOf())).body
    const first = await agent.command()
    const body = { loadBalancerId: id, ...listener }
    const refused = await engine.http.post('/api/v1/listeners', body)
    expect([refused.status, refused.body.type]).toEqual([409, 'urn:keelson:problem:pending'])
    const merged = await engine.http.post('/api/v1/listeners', body, { headers: { prefer: 'coalesce' } })
    expect([merged.status, merged.body.generation]).toEqual([202, 2])
    expect((await engine.http.get(`/api/v1/commands/${first.id}`)).body).toMatchObject({
      state: 'superseded',
      supersededBy: merged.body.commandId,
    })
    await agent.report(await agent.command())
    expect((await engine.http.get(`/api/v1/listeners/${merged.body.id}`)).body.provisioningStatus).toBe('ACTIVE')
  })

  it('answers when the change is in force where the caller waits for that', async () => {
    const reply = engine.http.post(BALANCERS, bodyOf(), { headers: { prefer: 'wait=30' } })
    await agent.report(await agent.command())
    expect((await reply).body).toMatchObject({ provisioningStatus: 'ACTIVE', goodGeneration: 1 })
  })

  it('says why it failed, in the words of its driver, and is asked for again', async () => {
    const reply = engine.http.post(BALANCERS, bodyOf({ listeners: [listener] }), { headers: { prefer: 'wait=30' } })
    const fault = { type: 'refused', message: 'cannot bind socket' }
    await agent.report(await agent.command(), { state: 'failed', fault })
    const { body } = await reply
    const statusReason = 'cannot bind socket'
    expect(body).toMatchObject({ provisioningStatus: 'ERROR', statusReason, actions: ['update', 'delete', 'reset'] })
    const part = await engine.http.get(`/api/v1/listeners/${body.listeners[0].id}`)
    expect(part.body).toMatchObject({ provisioningStatus: 'ERROR', statusReason })
    await inForce(engine.http.post(`${pathOf(body.id)}/reset`))
    expect((await engine.http.get(pathOf(body.id))).body).toMatchObject({
      provisioningStatus: 'ACTIVE',
      statusReason: null,
    })
    expect((await engine.http.post(`${pathOf(body.id)}/reset`)).status).toBe(409)
  })

  it('goes with all under it only by cascade, in any state', async () => {
    const { id } = (await engine.http.post(BALANCERS, bodyOf({ pools: [web] }))).body
    await agent.command()
    const refused = await engine.http.delete(pathOf(id))
    expect([refused.status, faultsOf(refused)]).toEqual([422, ['cascade']])
    const going = await inForce(engine.http.delete(`${pathOf(id)}?cascade=true`))
    expect(going.body).toMatchObject({ id, provisioningStatus: 'PENDING_DELETE', actions: [] })
    await eventually(async () => expect((await engine.http.get(pathOf(id))).status).toBe(404))
  })

  it('is listed by name, by tags and page by page, and to who may see its project alone', async () => {
    const projectId = await createProject(engine)
    const tag = randomUUID()
    for (const name of ['a', 'b', 'c']) await made({ name, projectId, tags: [tag, name] })
    const names = async (query: string, http = engine.http) =>
      (await http.get(`${BALANCERS}?projectId=${projectId}&${query}`)).body.items.map(({ name }: Body) => name)
    expect(await names('sort=name')).toEqual(['a', 'b', 'c'])
    expect(await names('name=a&name=c&sort=-name')).toEqual(['c', 'a'])
    expect(await names(`tags=${tag}&tags=b`)).toEqual(['b'])
    expect(await names('tagsAny=a&tagsAny=b&sort=name')).toEqual(['a', 'b'])
    const first = (await engine.http.get(`${BALANCERS}?projectId=${projectId}&sort=name&limit=2`)).body
    expect(await names(`sort=name&limit=2&cursor=${first.next}`)).toEqual(['c'])
    const other = await callerWith(engine, { projects: { [await createProject(engine)]: 'operator' } })
    expect(await names('', other.http)).toEqual([])
    const mine = await callerWith(engine, { projects: { [projectId]: 'viewer' } })
    expect(await names('sort=name', mine.http)).toEqual(['a', 'b', 'c'])
  })

  it('has carried nothing at first', async () => {
    const { id, listeners } = await made({ listeners: [listener] })
    const none = { activeConnections: 0, totalConnections: 0, bytesIn: 0, bytesOut: 0, requestErrors: 0 }
    expect((await engine.http.get(`${pathOf(id)}/statistics`)).body).toEqual(none)
    expect((await engine.http.get(`/api/v1/listeners/${listeners[0].id}/statistics`)).body).toEqual(none)
  })
})
