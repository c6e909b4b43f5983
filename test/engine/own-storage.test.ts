import { digestOf } from '../../src/wire/digest.js'
import { HOST_CONNECTION, MAX_OWN_THINGS, SIGHTED_CONNECTION, UNTOLD_CONNECTIONS } from '../../src/wire/own-things.js'
import type { InventoryItem, Observation } from '../../src/wire/session.js'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let host = 0
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

async function open(items: readonly InventoryItem[] = [], hello = helloOf(`own${++host}`)): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, hello, items)
  agents.push(agent)
  return agent
}

const back = (agent: WireAgent, items: readonly InventoryItem[]): Promise<WireAgent> => {
  agent.vanish()
  return open(items, agent.again())
}

const URI = 'local:///srv/a'
const own = (id: string, more: Partial<InventoryItem> = {}): InventoryItem => ({
  subject: `${HOST_CONNECTION}/${id}`,
  generation: 0,
  status: 'UP',
  origin: 'host',
  digest: digestOf({ uri: URI, options: {} }),
  detail: { uri: URI, target: URI, options: {}, mountPoint: null },
  ...more,
})
const sighted = (id: string, more: Partial<InventoryItem> = {}): InventoryItem => {
  const uri = `nfs://server/${id}`
  const detail = { uri, target: uri, options: {}, mountPoint: `/mnt/${id}` }
  return own('', { subject: `${SIGHTED_CONNECTION}/${id}`, detail, ...more })
}
const observed = ({ digest: _, origin: __, ...item }: InventoryItem): Observation => item

const path = (agent: WireAgent, more = '') => `/api/v1/hosts/${agent.hostId}/storage-connections${more}`
const list = async (agent: WireAgent, query = '') => (await engine.http.get(path(agent, query))).body
const named = (items: { connectionId: string; origin: string | null }[]) =>
  items.map(({ connectionId, origin }) => `${origin} ${connectionId}`)

async function managed(agent: WireAgent, ...ids: string[]): Promise<void> {
  for (const id of ids) {
    await engine.http.put(path(agent, `/${id}`), { uri: URI })
    await agent.report(await agent.command())
  }
}

describe('what a host has of itself', () => {
  it('is listed behind what the plane asked for', async () => {
    const fault = { type: 'connect', message: 'no answer', number: 451 }
    const agent = await open([own('flow', { status: 'DOWN', fault }), sighted('x')])
    await managed(agent, 'flow')
    const { items, next } = await list(agent)
    expect(next).toBeNull()
    expect(items).toMatchObject([
      { connectionId: 'flow', origin: 'plane', managed: true, provisioningStatus: 'ACTIVE', mountPoint: null },
      {
        connectionId: 'flow',
        origin: 'host',
        managed: true,
        uri: URI,
        target: URI,
        connected: false,
        operatingStatus: 'DOWN',
        lastError: { type: 'connect', message: 'no answer', number: 451, at: expect.any(String) },
        projectId: null,
        provisioningStatus: null,
        commandId: null,
        actions: [],
      },
      {
        connectionId: 'x',
        origin: null,
        managed: false,
        uri: 'nfs://server/x',
        connected: true,
        lastError: null,
        mountPoint: '/mnt/x',
      },
    ])
  })

  it('follows what the host sees, from one observation to the next', async () => {
    const agent = await open()
    await agent.observe([observed(own('a')), observed(sighted('x'))])
    expect(named((await list(agent)).items)).toEqual(['host a', 'null x'])
    const fault = { type: 'connect', message: 'gone away' }
    await agent.observe([observed(own('a', { status: 'DOWN', fault }))])
    expect((await list(agent)).items[0]).toMatchObject({ operatingStatus: 'DOWN', lastError: { message: 'gone away' } })
    await agent.observe([
      { subject: `${SIGHTED_CONNECTION}/x`, generation: 0, status: 'UNKNOWN', gone: true },
      { subject: `${HOST_CONNECTION}/nosuch`, generation: 0, status: 'UNKNOWN', gone: true },
    ])
    expect(named((await list(agent)).items)).toEqual(['host a'])
    await agent.observe([observed(sighted('a'))])
    await agent.observe([{ subject: `${HOST_CONNECTION}/a`, generation: 0, status: 'UNKNOWN', gone: true }])
    expect(named((await list(agent)).items)).toEqual(['null a'])
  })

  it('is what the last inventory says, and nothing else', async () => {
    const agent = await open([own('a'), own('b'), sighted('x')])
    const again = await back(agent, [own('b', { detail: { uri: 'local:///other', target: 'local:///other' } })])
    expect((await list(again)).items).toMatchObject([{ connectionId: 'b', uri: 'local:///other' }])
    expect((await list(await back(again, []))).items).toEqual([])
  })

  it('is not seen while the host is away', async () => {
    const agent = await open([own('a'), sighted('x')])
    agent.vanish()
    await eventually(async () =>
      expect((await list(agent)).items).toMatchObject([
        { operatingStatus: 'UNKNOWN', connected: false },
        { operatingStatus: 'UNKNOWN', connected: false },
      ]),
    )
  })

  it('is of another namespace than what the plane asks for: neither takes the place of the other', async () => {
    const agent = await open([own('a')])
    await managed(agent, 'a')
    expect((await engine.http.get(path(agent, '/a'))).body).toMatchObject({ connectionId: 'a', generation: 1 })
    await engine.http.delete(path(agent, '/a'))
    await agent.report(await agent.command())
    await eventually(async () => expect(named((await list(agent)).items)).toEqual(['host a']))
    expect((await engine.http.get(path(agent, '/a'))).status).toBe(404)
    expect((await engine.http.delete(path(agent, '/a'))).status).toBe(404)
  })

  it('is never quarantined, nor removed for a tombstone of an id that is spelled alike', async () => {
    const agent = await open()
    await managed(agent, 'a')
    await engine.http.delete(path(agent, '/a'))
    await agent.report(await agent.command())
    const tombstones = await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)
    expect(tombstones.body.items).toMatchObject([{ subject: 'storage-connection/a' }])
    const ten = Array.from({ length: 10 }, (_, n) => own(`own-${n}`))
    const again = await back(agent, [own('a'), ...ten, sighted('a')])
    await again.beat()
    expect(again.commands).toEqual([])
    expect((await engine.http.get(`/api/v1/quarantine?hostId=${agent.hostId}`)).body.items).toEqual([])
    expect((await list(again)).items).toHaveLength(12)
  })

  it('is kept in bounds, whatever a host says', async () => {
    const agent = await open()
    const uri = `local:///${'u'.repeat(5000)}`
    const options = Object.fromEntries(Array.from({ length: 100 }, (_, n) => [`o${n}`, 'v'.repeat(2000)]))
    await agent.observe([
      observed(own('odd', { status: 'MOON', detail: { uri, target: 7, options, mountPoint: {} } })),
      observed(own('silent', { detail: undefined })),
    ])
    const { items } = await list(agent)
    expect(items).toMatchObject([{ connectionId: 'odd', operatingStatus: 'UNKNOWN', mountPoint: null }])
    expect(items[0].uri).toHaveLength(2048)
    expect(Object.keys(items[0].options)).toHaveLength(32)

    const many = Array.from({ length: 2 * MAX_OWN_THINGS + 300 }, (_, n) => observed(own(`n${n}`)))
    for (let at = 0; at < many.length; at += 400) await agent.observe(many.slice(at, at + 400))
    const count = () =>
      engine.query('SELECT count(*)::int AS n FROM own_storage_connections WHERE host_id = $1', [agent.hostId])
    expect(await count()).toEqual([{ n: 2 * MAX_OWN_THINGS }])
    await agent.observe([observed(own('n0', { status: 'DOWN' }))])
    expect((await list(agent, '?connectionId=n0')).items).toMatchObject([{ operatingStatus: 'DOWN' }])
  })

  it('says how many more a host has than it tells of, as long as that is so', async () => {
    const subject = `${UNTOLD_CONNECTIONS}/unmanaged`
    const more = (count: unknown): InventoryItem => own('', { subject, status: 'UNKNOWN', detail: { count } })
    const agent = await open([own('a'), sighted('x'), more(7)])
    await managed(agent, 'a')
    const untold = async (query = '') => (await list(agent, query)).untold
    expect(await untold()).toBe(7)
    expect(named((await list(agent)).items)).toEqual(['plane a', 'host a', 'null x'])
    expect(await Promise.all(['?managed=false', '?limit=1&managed=false', '?limit=1'].map(untold))).toEqual([7, 7, 7])
    expect(await Promise.all(['?managed=true', '?origin=plane', '?origin=host'].map(untold))).toEqual([0, 0, 0])
    const projectId = await createProject(engine)
    const member = await callerWith(engine, { projects: { [projectId]: 'admin' } })
    expect((await member.http.get(path(agent))).body.untold).toBe(0)
    await agent.observe([observed(more(8))])
    expect(await untold()).toBe(8)
    await agent.observe([observed(more('many'))])
    expect(await untold()).toBe(0)
    await agent.observe([observed(more(9))])
    await agent.observe([{ subject, generation: 0, status: 'UNKNOWN', gone: true }])
    expect(await untold()).toBe(0)
    await agent.observe([observed(more(9))])
    expect((await list(await back(agent, [own('a')]))).untold).toBe(0)
  })

  it('goes with its host', async () => {
    const agent = await open([own('a')])
    await agent.close('leaving')
    await eventually(async () => expect((await engine.http.delete(`/api/v1/hosts/${agent.hostId}`)).status).toBe(204))
    expect(await engine.query('SELECT 1 FROM own_storage_connections WHERE host_id = $1', [agent.hostId])).toEqual([])
  })

  it('is no word of a session that is fenced', async () => {
    const agent = await open([own('a')])
    const again = await back(agent, [own('a')])
    await engine.query('UPDATE hosts SET session_epoch = session_epoch + 1 WHERE id = $1', [again.hostId])
    await again.observe([observed(own('late'))]).catch(() => undefined)
    expect((await engine.http.get(path(again, '?connectionId=late'))).body.items).toEqual([])
  })
})

describe('the list of all that a host has connected', () => {
  it.each([1, 2, 3, 4, 5, 9])('comes in pages of %d that neither repeat nor lose a row', async (limit) => {
    const agent = await open([own('a'), own('b'), own('c'), sighted('b'), sighted('x')])
    await managed(agent, 'a', 'b', 'd', 'e')
    const seen: string[] = []
    let cursor: string | null = null
    do {
      const more: string = cursor === null ? '' : `&cursor=${encodeURIComponent(cursor)}`
      const body: { items: { connectionId: string; origin: string }[]; next: string | null } = await list(
        agent,
        `?limit=${limit}${more}`,
      )
      expect(body.items.length).toBeLessThanOrEqual(limit)
      if (body.next !== null) expect(body.items).toHaveLength(limit)
      seen.push(...named(body.items))
      cursor = body.next
    } while (cursor !== null)
    const plane = ['plane a', 'plane b', 'plane d', 'plane e']
    expect(seen.slice(0, 4)).toEqual(plane)
    expect(seen.slice(4).sort()).toEqual(['host a', 'host b', 'host c', 'null b', 'null x'])
    expect(seen.slice(4).map((name) => name.split(' ')[1])).toEqual(['a', 'b', 'b', 'c', 'x'])
  })

  it.each([
    ['?managed=false', ['null x']],
    ['?managed=true', ['plane a', 'host a', 'host b']],
    ['?managed=true&managed=false', ['plane a', 'host a', 'host b', 'null x']],
    ['?origin=host', ['host a', 'host b']],
    ['?origin=plane', ['plane a']],
    ['?origin=host&managed=false', []],
    ['?connectionId=a', ['plane a', 'host a']],
    ['?operatingStatus=UP&origin=host', ['host a']],
    ['?provisioningStatus=ACTIVE', ['plane a']],
    ['?sort=-connectionId', ['plane a', 'null x', 'host b', 'host a']],
    ['?sort=provisioningStatus,-connectionId', ['plane a', 'null x', 'host b', 'host a']],
    ['?sort=provisioningStatus', ['plane a', 'host a', 'host b', 'null x']],
  ])('is filtered and sorted by %s', async (query, expected) => {
    const agent = await open([own('a'), own('b', { status: 'DOWN' }), sighted('x')])
    await managed(agent, 'a')
    expect(named((await list(agent, query)).items)).toEqual(expected)
  })

  it('refuses what it cannot sort by or go on from', async () => {
    const agent = await open([own('a'), own('b')])
    const status = async (query: string) => (await engine.http.get(path(agent, query))).status
    expect(await status('?managed=false&sort=nosuch')).toBe(422)
    expect(await status('?managed=maybe')).toBe(422)
    expect(await status('?cursor=own.nonsense')).toBe(422)
    const { next } = await list(agent, '?limit=1')
    expect(next).toMatch(/^own\./)
    expect(await status(`?limit=1&cursor=${next}`)).toBe(200)
    expect(await status(`?limit=1&provisioningStatus=ACTIVE&cursor=${next}`)).toBe(422)
    const nobody = '00000000-0000-4000-8000-000000000000'
    for (const query of ['', '?managed=false', '?origin=host&managed=false'])
      expect((await engine.http.get(`/api/v1/hosts/${nobody}/storage-connections${query}`)).status).toBe(404)
  })

  it('shows what is of the host to the people of the plane alone', async () => {
    const agent = await open([own('a'), sighted('x')])
    const projectId = await createProject(engine)
    await engine.http.put(path(agent, '/c'), { uri: URI, projectId })
    const member = await callerWith(engine, { projects: { [projectId]: 'admin' } })
    expect(named((await member.http.get(path(agent))).body.items)).toEqual(['plane c'])
    expect((await member.http.get(path(agent, '?managed=false'))).body.items).toEqual([])
    expect((await member.http.get(path(agent, '?managed=false&cursor=own.'))).status).toBe(422)
    const viewer = await callerWith(engine, { plane: 'viewer' })
    expect(named((await viewer.http.get(path(agent))).body.items)).toEqual(['plane c', 'host a', 'null x'])
  })
})
