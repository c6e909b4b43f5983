import { targetIdOf } from '../../src/engine/storage/storage-target.js'
import { HOST_CONNECTION, SIGHTED_CONNECTION } from '../../src/wire/own-things.js'
import type { InventoryItem } from '../../src/wire/session.js'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let host = 0
let target: string
const agents: WireAgent[] = []

beforeAll(async () => {
  engine = await startTestEngine()
})
beforeEach(() => {
  target = `nfs://filer/export${++host}`
})
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(async () => {
  await engine.stop()
})

async function open(items: readonly InventoryItem[] = [], hello = helloOf(`holder${host}`)): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, hello, items)
  agents.push(agent)
  return agent
}

const item = (subject: string, more: object, detail: object): InventoryItem => ({
  subject,
  generation: 0,
  status: 'UP',
  origin: 'host',
  digest: 'd',
  ...more,
  detail: { uri: target, target, options: {}, mountPoint: null, ...detail },
})
const own = (id: string, detail: object = {}) => item(`${HOST_CONNECTION}/${id}`, {}, detail)
const sighted = (id: string, detail: object = {}, more: object = {}) =>
  item(`${SIGHTED_CONNECTION}/${id}`, more, { mountPoint: '/mnt/a', ...detail })
const busy = { type: 'disconnect', message: 'umount: target is busy', number: 452, at: '2026-01-01T12:00:00.000Z' }

/** By the plane: an id that leads to the target. */
async function managed(agent: WireAgent, id: string, projectId?: string): Promise<void> {
  await engine.http.put(path(agent, id), { uri: 'local:///srv/a', projectId })
  await agent.report(await agent.command(), { result: { target } })
}

const path = (agent: WireAgent, id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const of = (what: string, query = '') => `/api/v1/storage-targets/${targetIdOf('', target)}/${what}${query}`
const holders = async (): Promise<Body[]> => (await engine.http.get(of('holders'))).body.items
const blocks = ({ blockedBy }: Body) => blockedBy.map(({ type }: Body) => type)

describe('the holders of a target', () => {
  it('are also the ids of programs on hosts, which no request of the plane lets go of', async () => {
    const agent = await open([own('flow')])
    await managed(agent, 'flow')
    const found = await holders()
    expect(found).toMatchObject([
      { connectionId: 'flow', origin: 'host', projectId: null, provisioningStatus: null, operatingStatus: 'UP' },
      { connectionId: 'flow', origin: 'plane', provisioningStatus: 'ACTIVE' },
    ])
    expect(found.map(blocks)).toEqual([['held-on-host'], ['held']])
    const list = `/api/v1/hosts/${agent.hostId}/storage-connections?targetId=`
    expect((await engine.http.get(`${list}${targetIdOf('', target)}`)).body.items).toHaveLength(2)
    expect((await engine.http.get(`${list}${targetIdOf('', 'nfs://filer/none')}`)).body.items).toEqual([])
  })

  it('that are a host’s own have held it since they lead there', async () => {
    const agent = await open([own('flow')])
    const since = async () => (await holders())[0].since
    const before = await since()
    const tell = (detail: object, status = 'UP') => {
      const { digest: _, origin: __, ...told } = own('flow', detail)
      return agent.observe([{ ...told, status }])
    }
    await tell({}, 'DOWN')
    expect(await since()).toBe(before)
    const { updatedAt } = (await engine.http.get(`/api/v1/hosts/${agent.hostId}/storage-connections`)).body.items[0]
    await tell({ target: 'nfs://filer/elsewhere' })
    await tell({})
    expect((await since()) >= updatedAt).toBe(true)
    expect(await since()).not.toBe(before)
  })

  it('say that a target which was there before its first id is never disconnected', async () => {
    const agent = await open([own('mine', { preexisting: true })])
    await managed(agent, 'ours')
    const told = async () => (await holders()).map(blocks)
    expect(await told()).toEqual([['held-on-host', 'preexisting'], ['held']])
    const see = (preexisting: boolean) =>
      agent.observe([
        { subject: 'storage-connection/ours', generation: 1, status: 'UP', fault: null, detail: { preexisting } },
      ])
    await see(true)
    expect((await told())[1]).toEqual(['held', 'preexisting'])
    await engine.http.delete(path(agent, 'ours'))
    expect((await told())[1]).toEqual(['under-way', 'preexisting'])
    await see(false)
    expect((await told())[1]).toEqual(['under-way'])
  })

  it('tell that it is still there though its last id has gone, and why', async () => {
    const leaving = () => sighted('x', { leaving: true }, { status: 'DISCONNECTING', fault: busy })
    const agent = await open()
    await managed(agent, 'last')
    await engine.http.delete(path(agent, 'last'))
    await agent.report(await agent.command())
    expect((await engine.http.get(path(agent, 'last'))).status).toBe(404)
    expect((await engine.http.get(of('holders'))).status).toBe(404)
    agent.vanish()
    const again = await open([leaving()], agent.again())
    expect(await holders()).toMatchObject([
      {
        hostId: again.hostId,
        connectionId: 'x',
        origin: null,
        operatingStatus: 'DISCONNECTING',
        lastError: busy,
        blockedBy: [{ type: 'disconnecting', message: expect.stringContaining('target is busy') }],
      },
    ])
    again.vanish()
    await eventually(async () => expect(blocks((await holders())[0])).toEqual(['disconnecting', 'host-away']))
    await open([], again.again())
    expect((await engine.http.get(of('holders'))).status).toBe(404)
  })

  it('tell of what a host has connected without anybody’s id', async () => {
    await open([sighted('x')])
    expect((await holders()).map(blocks)).toEqual([['unmanaged']])
  })

  it('come in pages that neither repeat nor lose one, also where they are spelled alike', async () => {
    const agent = await open([own('a'), sighted('a'), own('b')])
    await managed(agent, 'a')
    const seen: string[] = []
    for (let next: string | null = ''; next !== null; ) {
      const { body }: Body = await engine.http.get(of('holders', `?limit=1${next ? `&cursor=${next}` : ''}`))
      seen.push(...body.items.map(({ connectionId, origin }: Body) => `${origin} ${connectionId}`))
      next = body.next
    }
    expect(seen).toEqual(['host a', 'null a', 'plane a', 'host b'])
  })

  it('that are no project’s are to its people a number', async () => {
    const agent = await open([own('mine'), sighted('x', { leaving: true })])
    const projectId = await createProject(engine)
    const member = await callerWith(engine, { projects: { [projectId]: 'admin' } })
    expect((await member.http.get(of('holders'))).status).toBe(404)
    expect((await member.http.get('/api/v1/storage-targets')).body.items).toEqual([])
    await managed(agent, 'ours', projectId)
    const { body } = await member.http.get(of('holders'))
    expect(body).toMatchObject({ others: 2, items: [{ connectionId: 'ours', origin: 'plane' }] })
    expect((await member.http.get(of('blast-radius'))).body).toMatchObject({
      others: 2,
      connections: 1,
      items: [{ connectionIds: ['ours'], ownConnectionIds: [] }],
    })
  })
})

describe('the blast radius of a target', () => {
  it('has the hosts whose programs hold it, and those that have it connected without an id', async () => {
    const agent = await open([own('mine')])
    await managed(agent, 'ours')
    const other = await open([sighted('x', {}, { status: 'DOWN' })], helloOf(`other${host}`))
    const { body } = await engine.http.get(of('blast-radius'))
    expect(body).toMatchObject({ connections: 3, hosts: 2, others: 0, operating: { UP: 1, DOWN: 1, UNKNOWN: 1 } })
    expect(body.items.find(({ hostId }: Body) => hostId === agent.hostId)).toMatchObject({
      connectionIds: ['ours'],
      ownConnectionIds: ['mine'],
      operating: { UP: 1, UNKNOWN: 1 },
    })
    expect(body.items.find(({ hostId }: Body) => hostId === other.hostId)).toMatchObject({
      connectionIds: [],
      ownConnectionIds: [],
      operating: { DOWN: 1 },
    })
    const list = await engine.http.get(`/api/v1/storage-targets?target=${encodeURIComponent(target)}`)
    expect(list.body.items).toMatchObject([{ connections: 3, hosts: 2, operatingStatus: 'DEGRADED' }])
    expect(body.targetId).toBe(list.body.items[0].targetId)
  })
})
