import { targetIdOf } from '../../src/engine/storage/storage-target.js'
import { callerWith, createProject, type TestCaller } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const FILER = 'nfs://filer/export'
const LOCAL = 'local:///srv/a'

let engine: TestEngine
let first: WireAgent
let second: WireAgent
let ours: string
let viewer: TestCaller
let filer: string

const at = (agent: WireAgent, id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`

/** The agent says what the target is: this engine knows no scheme with a server in it. */
async function managed(agent: WireAgent, id: string, target: string, projectId?: string): Promise<string> {
  await engine.http.put(at(agent, id), { uri: 'local:///srv/a', projectId })
  await agent.report(await agent.command(), { result: { target } })
  return (await engine.http.get(at(agent, id))).body.targetId
}

const see = (agent: WireAgent, id: string, status: string) =>
  agent.observe([{ subject: `storage-connection/${id}`, generation: 1, status, fault: null }])

beforeAll(async () => {
  engine = await startTestEngine()
  first = await WireAgent.open(engine.tcp, helloOf('s1'))
  second = await WireAgent.open(engine.tcp, helloOf('s2'))
  ours = await createProject(engine)
  viewer = await callerWith(engine, { projects: { [ours]: 'viewer' } })
  filer = await managed(first, 'a', FILER, ours)
  await managed(first, 'b', FILER)
  await managed(second, 'c', FILER)
  await managed(first, 'own', LOCAL)
  await managed(second, 'own', LOCAL)
  for (const id of ['a', 'b', 'own']) await see(first, id, 'UP')
})
afterAll(async () => {
  first.vanish()
  second.vanish()
  await engine.stop()
})

const targets = '/api/v1/storage-targets'
const list = async (query = '', by = engine.http) => (await by.get(`${targets}?${query}`)).body.items

describe('targets', () => {
  it('are one where a server is shared, and one for each host where it is its own', async () => {
    expect(await list()).toMatchObject([
      { target: LOCAL, scheme: 'local', connections: 1, hosts: 1 },
      { target: LOCAL, scheme: 'local', connections: 1, hosts: 1 },
      {
        targetId: filer,
        target: FILER,
        scheme: 'nfs',
        connections: 3,
        hosts: 2,
        operating: { UP: 2, UNKNOWN: 1 },
        operatingStatus: 'DEGRADED',
      },
    ])
  })

  it('have ids that follow from what hosts say alone', () => {
    const of = (target: string) => ['h1', 'h2'].map((host) => targetIdOf(host, target))
    for (const shared of [FILER, 'posix://filer/export?fstype=nfs', 'iscsi://h:3260/iqn.2000-01.a:b;portal=1'])
      expect(new Set(of(shared)).size).toBe(1)
    for (const own of [LOCAL, 'posix:///dev/sdb?fstype=ext4', 'local:/srv/a']) expect(new Set(of(own)).size).toBe(2)
    expect(filer).toBe(targetIdOf('any', FILER))
    expect(filer).toMatch(/^[\w-]{22}$/)
  })

  it('are found by host, scheme, status and text, and come in pages', async () => {
    const of = async (query: string) => (await list(query)).map((target: Body) => target.target)
    expect(await of(`hostId=${second.hostId}`)).toEqual([LOCAL, FILER])
    expect(await of('scheme=NFS')).toEqual([FILER])
    expect(await of('operatingStatus=UNKNOWN')).toEqual([LOCAL, FILER])
    expect(await of('operatingStatus=STUCK')).toEqual([])
    expect(await of(`target=${encodeURIComponent(FILER)}`)).toEqual([FILER])
    const seen: string[] = []
    for (let next: string | null = ''; next !== null; ) {
      const { body }: Body = await engine.http.get(`${targets}?limit=1${next ? `&cursor=${next}` : ''}`)
      seen.push(...body.items.map((target: Body) => target.targetId))
      next = body.next
    }
    expect(new Set(seen).size).toBe(3)
    expect((await engine.http.get(`${targets}?sort=name`)).status).toBe(422)
    expect((await engine.http.get(`${targets}?cursor=x`)).status).toBe(422)
  })

  it('show to who sees a project what it holds, and of others their number alone', async () => {
    expect(await list('', viewer.http)).toMatchObject([{ targetId: filer, connections: 1, hosts: 1 }])
    const { body } = await viewer.http.get(`${targets}/${filer}/holders`)
    expect(body).toMatchObject({ others: 2, items: [{ connectionId: 'a', hostName: null, projectId: ours }] })
    const struck = await viewer.http.get(`${targets}/${filer}/blast-radius`)
    expect(struck.body).toMatchObject({ others: 2, connections: 1, items: [{ connectionIds: ['a'], hostName: null }] })
    const stranger = await callerWith(engine, { projects: { [await createProject(engine)]: 'operator' } })
    for (const path of ['holders', 'blast-radius']) {
      expect((await stranger.http.get(`${targets}/${filer}/${path}`)).status).toBe(404)
      expect((await engine.http.get(`${targets}/none-of-ours/${path}`)).status).toBe(404)
    }
  })
})

describe('the holders of a target', () => {
  const holders = async (id: string): Promise<Body[]> => (await engine.http.get(`${targets}/${id}/holders`)).body.items

  it('say who holds it since when, page by page', async () => {
    const seen: Body[] = []
    for (let next: string | null = ''; next !== null; ) {
      const { body }: Body = await engine.http.get(
        `${targets}/${filer}/holders?limit=1${next ? `&cursor=${next}` : ''}`,
      )
      expect(body).toMatchObject({ target: FILER, others: 0 })
      seen.push(...body.items)
      next = body.next
    }
    expect(seen.map(({ hostName, connectionId }) => `${hostName} ${connectionId}`).sort()).toEqual([
      's1 a',
      's1 b',
      's2 c',
    ])
    expect(seen.find(({ connectionId }) => connectionId === 'a')).toMatchObject({
      since: expect.any(String),
      connectedSince: expect.any(String),
      blockedBy: [{ type: 'held' }],
    })
  })

  it('say since when an id holds this target, and not the one before', async () => {
    const holder = async (target: string) => (await holders(targetIdOf('', target)))[0]
    await managed(first, 'mover', 'nfs://filer/before')
    const { since: before } = await holder('nfs://filer/before')
    const change = (uri: string) => engine.http.put(at(first, 'mover'), { uri }, { headers: { 'if-match': '*' } })
    await change('local:///srv/other')
    const { createdAt, updatedAt } = (await engine.http.get(at(first, 'mover'))).body
    await first.report(await first.command(), { result: { target: 'nfs://filer/after' } })
    const { since } = await holder('nfs://filer/after')
    expect(before >= createdAt && since >= updatedAt).toBe(true)
    await change('local:///srv/another')
    await first.report(await first.command(), { result: { target: 'nfs://filer/after' } })
    expect((await holder('nfs://filer/after')).since).toBe(since)
  })

  it('say what blocks its release: the host that has not confirmed, is away, or could not', async () => {
    let leaver = await WireAgent.open(engine.tcp, helloOf('s3'))
    const target = await managed(leaver, 'leaving', 'nfs://filer/leaving')
    const blocks = async () => (await holders(target))[0].blockedBy.map(({ type }: Body) => type)
    await engine.http.delete(at(leaver, 'leaving'))
    expect(await blocks()).toEqual(['under-way'])
    const fault = { type: 'unmount-failed', message: 'umount: target is busy', number: 452 }
    await leaver.report(await leaver.command(), { state: 'failed', result: undefined, fault })
    expect((await holders(target))[0].blockedBy).toEqual([{ type: 'failed', message: 'umount: target is busy' }])
    await leaver.close()
    leaver.vanish()
    await eventually(async () => expect(await blocks()).toEqual(['failed', 'host-away']))
    leaver = await WireAgent.open(engine.tcp, leaver.again())
    await leaver.report(await leaver.command())
    expect((await engine.http.get(`${targets}/${target}/holders`)).status).toBe(404)
    leaver.vanish()
  })

  it('name the storage that keeps it there', async () => {
    const body = { name: 'kept', uri: 'local:///srv/kept', selector: { hostIds: [first.hostId] } }
    await engine.http.post('/api/v1/storages', body)
    await first.report(await first.command(), { result: { target: 'nfs://filer/kept' } })
    expect((await holders(targetIdOf('', 'nfs://filer/kept')))[0]).toMatchObject({
      connectionId: expect.stringMatching(/^storage:/),
      blockedBy: [{ type: 'storage', message: expect.stringContaining('kept') }],
    })
  })
})

describe('the blast radius of a target', () => {
  it('tells each host that holds it, by what it sees', async () => {
    await see(first, 'b', 'STUCK')
    const { body } = await engine.http.get(`${targets}/${filer}/blast-radius`)
    expect(body).toMatchObject({ target: FILER, hosts: 2, connections: 3, others: 0, users: [], next: null })
    expect(body.items.find((host: Body) => host.hostName === 's1')).toMatchObject({
      hostId: first.hostId,
      operating: { UP: 1, STUCK: 1 },
      connectionIds: ['a', 'b'],
    })
    const page = (await engine.http.get(`${targets}/${filer}/blast-radius?limit=1`)).body
    expect(page.items).toHaveLength(1)
    const rest = (await engine.http.get(`${targets}/${filer}/blast-radius?limit=1&cursor=${page.next}`)).body
    const names = [...page.items, ...rest.items].map((host: Body) => host.hostName)
    expect(new Set(names)).toEqual(new Set(['s1', 's2']))
  })
})

describe('readiness', () => {
  const ask = async (query: string, by = engine.http) => (await by.get(`/api/v1/storage-readiness?${query}`)).body.items
  let third: string

  beforeAll(async () => {
    third = (await engine.http.post('/api/v1/hosts', { name: 'away' })).body.id
    await managed(first, 'disk', 'nfs://filer/disk')
    await managed(second, 'disk', 'nfs://filer/disk')
    await managed(first, 'iso', 'nfs://filer/iso')
    await engine.http.put(`/api/v1/hosts/${third}/storage-connections/disk`, { uri: LOCAL })
    for (const id of ['disk', 'iso']) await see(first, id, 'UP')
    await second.observe([
      {
        subject: 'storage-connection/disk',
        generation: 1,
        status: 'DOWN',
        fault: { type: 'mount-failed', message: 'no route to filer', number: 477 },
      },
    ])
  })

  it('tells of many hosts whether all that is needed is up, and why not', async () => {
    const hosts = [first.hostId, second.hostId, third].map((id) => `hostId=${id}`).join('&')
    expect(await ask(`connectionId=disk&connectionId=iso&${hosts}`)).toEqual([
      { hostId: first.hostId, ready: true, lacking: [] },
      {
        hostId: second.hostId,
        ready: false,
        lacking: [
          {
            connectionId: 'disk',
            reason: 'down',
            operatingStatus: 'DOWN',
            fault: { type: 'mount-failed', message: 'no route to filer', number: 477, at: null },
          },
          { connectionId: 'iso', reason: 'missing', operatingStatus: null, fault: null },
        ],
      },
      {
        hostId: third,
        ready: false,
        lacking: [
          { connectionId: 'disk', reason: 'host-away', operatingStatus: 'UNKNOWN', fault: null },
          { connectionId: 'iso', reason: 'missing', operatingStatus: null, fault: null },
        ],
      },
    ])
  })

  it('finds the hosts that are ready among all, page by page', async () => {
    const ids = async (query: string) => (await ask(query)).map(({ hostId }: Body) => hostId)
    expect(await ids('connectionId=disk&ready=true')).toEqual([first.hostId])
    expect(await ids('connectionId=disk&ready=false')).toEqual(expect.arrayContaining([second.hostId, third]))
    expect(await ids('connectionId=disk')).toHaveLength(4)
    const page = (await engine.http.get('/api/v1/storage-readiness?connectionId=disk&limit=2')).body
    expect(await ids(`connectionId=disk&limit=2&cursor=${page.next}`)).toHaveLength(2)
  })

  it('is not there while a change has not arrived or its target was not seen, or the id is being let go', async () => {
    await engine.http.put(at(first, 'iso'), { uri: 'local:///srv/b' }, { headers: { 'if-match': '*' } })
    const reason = async () => (await ask(`connectionId=iso&hostId=${first.hostId}`))[0].lacking[0]?.reason
    expect(await reason()).toBe('pending')
    await first.report(await first.command())
    expect(await reason()).toBe('down')
    await first.observe([{ subject: 'storage-connection/iso', generation: 2, status: 'UP', fault: null }])
    expect(await reason()).toBeUndefined()
    await engine.http.delete(at(first, 'iso'))
    expect(await reason()).toBe('leaving')
    await first.report(await first.command())
    expect(await reason()).toBe('missing')
  })

  it('needs to be asked for something, and counts nothing that the caller does not see', async () => {
    expect((await engine.http.get('/api/v1/storage-readiness')).body.faults).toMatchObject([{ field: 'connectionId' }])
    expect(await ask('connectionId=disk', viewer.http)).toEqual([])
    expect(await ask(`connectionId=disk&hostId=${first.hostId}`, viewer.http)).toMatchObject([
      { ready: false, lacking: [{ reason: 'missing' }] },
    ])
    expect(await ask('connectionId=a&ready=true', viewer.http)).toMatchObject([{ hostId: first.hostId, ready: true }])
  })
})
