import { randomUUID } from 'node:crypto'
import { digestOf } from '../../src/wire/digest.js'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
const agents: WireAgent[] = []
let beating: NodeJS.Timeout

beforeAll(async () => {
  engine = await startTestEngine()
  beating = setInterval(() => {
    for (const agent of agents) void agent.beat().catch(() => undefined)
  }, 2_000)
})
afterAll(async () => {
  clearInterval(beating)
  for (const agent of agents) agent.vanish()
  await engine.stop()
})

const storages = '/api/v1/storages'
const uri = 'local:///srv/a'
const secured = 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u'

/** A host that answers for itself, with labels of its own. */
async function host(labels: Record<string, string> = {}): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, helloOf(`h-${randomUUID()}`))
  agents.push(agent)
  if (Object.keys(labels).length > 0) await label(agent, labels)
  return agent
}

const label = (agent: WireAgent, labels: Record<string, string>) =>
  engine.http.patch(`/api/v1/hosts/${agent.hostId}`, { labels })

async function create(body: object, by = engine.http): Promise<Body> {
  const reply = await by.post(storages, { name: `s-${randomUUID()}`, uri, ...body })
  if (reply.status !== 202) throw new Error(JSON.stringify(reply.body))
  expect(reply.headers.get('location')).toBe(`${storages}/${reply.body.id}`)
  return reply.body
}

const shows = (id: string, wanted: object) =>
  eventually(async () => expect((await engine.http.get(`${storages}/${id}`)).body).toMatchObject(wanted))
const gone = (id: string) =>
  eventually(async () => expect((await engine.http.get(`${storages}/${id}`)).status).toBe(404))
const rack = () => ({ rack: randomUUID() })

/** Answers the next command, which must be of this kind. */
async function answer(agent: WireAgent, kind: string) {
  const command = await agent.command()
  expect(command.kind).toBe(kind)
  await agent.report(command)
  return command
}

const connection = (agent: WireAgent, storage: { connectionId: string }) =>
  `/api/v1/hosts/${agent.hostId}/storage-connections/${encodeURIComponent(storage.connectionId)}`

describe('a storage', () => {
  it('comes to every host with its labels and to those that it names, and is ACTIVE when all have it', async () => {
    const labels = rack()
    const [first, second, third] = [await host(labels), await host({ ...labels, more: 'x' }), await host()]
    const made = await create({
      uri: secured,
      options: { lun: '1' },
      credentials: { chapPassword: 'for-all-of-them' },
      selector: { labels, hostIds: [third.hostId.toUpperCase()] },
    })
    expect(made).toMatchObject({
      provisioningStatus: 'PENDING_CREATE',
      generation: 1,
      credentialNames: ['chapPassword'],
    })
    expect(made.connectionId).toBe(`storage:${made.id}`)
    for (const agent of [first, second]) {
      const command = await answer(agent, 'storage.manage')
      expect(command.payload).toEqual({
        connectionId: made.connectionId,
        uri: secured,
        options: { lun: '1' },
        credentials: { chapPassword: 'for-all-of-them' },
      })
    }
    await shows(made.id, {
      provisioningStatus: 'PENDING_UPDATE',
      hosts: { total: 3, provisioning: { ACTIVE: 2, PENDING_CREATE: 1 } },
    })
    await answer(third, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE', operatingStatus: 'UNKNOWN', hosts: { total: 3 } })
    for (const agent of [first, second]) await see(agent, made.connectionId, 'UP')
    await see(third, made.connectionId, 'DOWN')
    await shows(made.id, { operatingStatus: 'DEGRADED', hosts: { operating: { UP: 2, DOWN: 1 } } })
    await see(third, made.connectionId, 'UP')
    await shows(made.id, { operatingStatus: 'UP', hosts: { operating: { UP: 3 } } })
    const { body } = await engine.http.get(`/api/v1/storage-connections?storageId=${made.id}`)
    expect(body.items.map((c: Body) => c.storageId)).toEqual([made.id, made.id, made.id])
  })

  it('joins hosts that are enrolled or labelled later, and leaves those that match no more', async () => {
    const labels = rack()
    const made = await create({ selector: { labels } })
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 0 } })
    const late = await host(labels)
    await answer(late, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 1 } })
    await label(late, {})
    await answer(late, 'storage.unmanage')
    await shows(made.id, { hosts: { total: 0 } })
    await label(late, labels)
    await answer(late, 'storage.manage')
    const except = { labels, exceptHostIds: [late.hostId] }
    expect((await engine.http.patch(`${storages}/${made.id}`, { selector: except })).status).toBe(202)
    await answer(late, 'storage.unmanage')
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 0 } })
  })

  it('of every host joins one that has just been enrolled', async () => {
    const made = await create({ selector: { labels: {}, exceptHostIds: agents.map(({ hostId }) => hostId) } })
    const fresh = await host()
    await answer(fresh, 'storage.manage')
    await engine.http.delete(`${storages}/${made.id}`)
    await answer(fresh, 'storage.unmanage')
    await gone(made.id)
  })

  it('is changed on all hosts, and only where the change is something to them', async () => {
    const labels = rack()
    const agent = await host(labels)
    const made = await create({ selector: { labels } })
    await answer(agent, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE' })
    const path = `${storages}/${made.id}`
    const name = `renamed-${randomUUID()}`
    const renamed = await engine.http.patch(path, { name }, { headers: { 'if-match': '"g1"' } })
    expect(renamed).toMatchObject({ status: 202, body: { name, generation: 2 } })
    expect((await engine.http.patch(path, { name: 'x' }, { headers: { 'if-match': '"g1"' } })).status).toBe(412)
    const whole = { name, uri: 'local:///srv/b', selector: { labels } }
    const put = await engine.http.put(path, whole, { headers: { 'if-match': '"g2"' } })
    expect(put).toMatchObject({ status: 202, body: { uri: 'local:///srv/b', generation: 3 } })
    expect(await answer(agent, 'storage.manage')).toMatchObject({ generation: 2, payload: { uri: 'local:///srv/b' } })
    await shows(made.id, { provisioningStatus: 'ACTIVE' })
    // the same again is nothing new
    expect((await engine.http.put(path, whole)).body.generation).toBe(3)
    expect((await engine.http.put(path, { ...whole, uri: 'local://localhost/srv//b/' })).body.generation).toBe(3)
    await engine.http.patch(path, { uri: secured, credentials: { chapPassword: 'new' } })
    expect((await answer(agent, 'storage.manage')).payload).toMatchObject({ credentials: { chapPassword: 'new' } })
    await engine.http.patch(path, { options: { lun: '1' } })
    expect((await answer(agent, 'storage.manage')).payload).toMatchObject({
      options: { lun: '1' },
      credentials: { chapPassword: 'new' },
    })
    expect((await engine.http.patch(path, { uri: secured.replace(':a', ':c') })).body.faults).toMatchObject([
      { field: 'credentials' },
    ])
    expect(agent.commands).toHaveLength(4)
  })

  it('is PENDING_DELETE until its last host has let go, and its name is free then', async () => {
    const labels = rack()
    const [first, second] = [await host(labels), await host(labels)]
    const made = await create({ selector: { labels } })
    for (const agent of [first, second]) await answer(agent, 'storage.manage')
    const path = `${storages}/${made.id}`
    expect(await engine.http.delete(path)).toMatchObject({
      status: 202,
      body: { provisioningStatus: 'PENDING_DELETE', actions: [] },
    })
    expect((await engine.http.delete(path)).status).toBe(202)
    expect((await engine.http.patch(path, { name: 'x' })).body.type).toBe('urn:keelson:problem:pending')
    await answer(first, 'storage.unmanage')
    await shows(made.id, { provisioningStatus: 'PENDING_DELETE', hosts: { total: 1 } })
    expect((await engine.http.post(storages, { name: made.name, uri, selector: { labels } })).status).toBe(409)
    await answer(second, 'storage.unmanage')
    await gone(made.id)
    const again = await create({ name: made.name, selector: { labels: rack() } })
    expect(again.name).toBe(made.name)
    const types = await eventually(async () => {
      const { items } = (await engine.http.get(`/api/v1/events?subject=storage/${made.id}&limit=100`)).body
      expect(items.map((event: Body) => event.type)).toContain('storage.storage.deleted')
      return items.map((event: Body) => event.type)
    })
    expect(types).toEqual(['storage.storage.created', 'storage.storage.deleting', 'storage.storage.deleted'])
  })

  it('has ids of its own: nobody puts them, and they go with it alone', async () => {
    const labels = rack()
    const agent = await host(labels)
    const made = await create({ selector: { labels } })
    await answer(agent, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE' })
    const at = connection(agent, made)
    expect((await engine.http.get(at)).body).toMatchObject({ storageId: made.id, actions: ['reset'] })
    for (const id of [made.connectionId, 'storage:anything']) {
      const path = `/api/v1/hosts/${agent.hostId}/storage-connections/${encodeURIComponent(id)}`
      expect(await engine.http.put(path, { uri }, { headers: { 'if-match': '*' } }).then((r) => r)).toMatchObject({
        status: 422,
        body: { number: 453, faults: [{ field: 'connectionId' }] },
      })
    }
    expect(await engine.http.delete(at)).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:in-use', users: [{ noun: 'storage', id: made.id, name: made.name }] },
    })
    const flow = await engine.http.delete(`/api/v1/hosts/${agent.hostId}/storage-connections?prefix=storage:`)
    expect(flow.body).toMatchObject({ lettingGo: 0, kept: 1 })
  })

  it('is placed once, whichever replica looks', async () => {
    const labels = rack()
    const hosts = await Promise.all(Array.from({ length: 4 }, () => host(labels)))
    const other = await engine.replica()
    try {
      const made = await create({ selector: { labels } })
      await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'storage.placement'`)
      for (const agent of hosts) await answer(agent, 'storage.manage')
      await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 4 } })
      await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'storage.placement'`)
      await eventually(async () => {
        const [row] = await engine.query(
          `SELECT next_run_at > now() AND lease_until IS NULL AS done FROM schedules WHERE name = 'storage.placement'`,
        )
        expect(row?.done).toBe(true)
      })
      for (const agent of hosts) expect(agent.commands).toHaveLength(1)
    } finally {
      await other.stop()
    }
  })

  it('comes by the sweep when the wake-up was lost, and is asked for again where it failed', async () => {
    const agent = await host()
    const id = randomUUID()
    await engine.query(
      `INSERT INTO storages (id, project_id, name, uri, selector)
       SELECT $1, id, 'unheard', $2, $3 FROM projects WHERE name = 'default'`,
      [id, uri, JSON.stringify({ labels: null, hostIds: [agent.hostId], exceptHostIds: [] })],
    )
    const sweep = () => engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'storage.placement'`)
    await sweep()
    const command = await agent.command()
    const fault = { type: 'bad-arguments', message: 'no such directory', number: 453 }
    await agent.report(command, { state: 'failed', result: undefined, fault })
    await shows(id, { provisioningStatus: 'ERROR', hosts: { provisioning: { ERROR: 1 } } })
    await engine.query(`UPDATE storage_connections SET updated_at = now() - interval '1 hour' WHERE storage_id = $1`, [
      id,
    ])
    await sweep()
    await answer(agent, 'storage.manage')
    await shows(id, { provisioningStatus: 'ACTIVE' })
  })

  it('counts in the quota: hosts beyond it are shown refused, and have it when there is room', async () => {
    const project = await createProject(engine)
    const quotas = `/api/v1/projects/${project}/quotas`
    await engine.http.put(quotas, { connections: 1 })
    const labels = rack()
    const hosts = [await host(labels), await host(labels)]
    const made = await create({ projectId: project, selector: { labels } })
    const refusal = { fault: { type: 'quota-exceeded', message: expect.stringContaining('1 connections') } }
    await shows(made.id, { provisioningStatus: 'ERROR', hosts: { total: 1, refused: 1 }, refusals: [refusal] })
    expect((await engine.http.get(quotas)).body.connections).toMatchObject({ limit: 1, used: 1 })
    await eventually(async () => {
      const { items } = (
        await engine.http.get(`/api/v1/events?subject=storage/${made.id}&type=storage.storage.refused`)
      ).body
      expect(items).toHaveLength(1)
    })
    await engine.http.put(quotas, { connections: 2 })
    await engine.query(`UPDATE storage_refusals SET refused_at = now() - interval '1 hour'`)
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'storage.placement'`)
    for (const agent of hosts) await answer(agent, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 2, refused: 0 }, refusals: [] })
  })

  it('is refused by a host whose agent is too old, which holds up no other', async () => {
    const labels = rack()
    const old = await WireAgent.open(engine.tcp, helloOf(`old-${randomUUID()}`, { kinds: [] }))
    agents.push(old)
    await label(old, labels)
    const agent = await host(labels)
    const made = await create({ selector: { labels } })
    await answer(agent, 'storage.manage')
    await shows(made.id, {
      provisioningStatus: 'ERROR',
      hosts: { total: 1, refused: 1 },
      refusals: [{ hostId: old.hostId, fault: { type: 'unsupported-by-host' } }],
    })
  })

  it('names what a host lacks for its scheme, and leaves there what there was before a change', async () => {
    const labels = rack()
    const lacks = [{ capability: 'storage:nfs', message: 'the program mount.nfs is not installed' }]
    const name = `limited-${randomUUID()}`
    const { said } = helloOf(name)
    const limited = await WireAgent.open(engine.tcp, {
      host: name,
      said: { ...said, capabilities: ['storage:local'], facts: { ...said.facts, lacks } },
    })
    agents.push(limited)
    await label(limited, labels)
    const agent = await host(labels)
    const message = `${name} lacks the capability storage:nfs: the program mount.nfs is not installed`
    const refused = {
      provisioningStatus: 'ERROR',
      hosts: { refused: 1 },
      refusals: [{ hostId: limited.hostId, fault: { type: 'unsupported-by-host', message } }],
    }
    const foreign = await create({ uri: 'nfs://server/a', selector: { labels } })
    await answer(agent, 'storage.manage')
    await shows(foreign.id, refused)
    const made = await create({ selector: { labels } })
    for (const each of [limited, agent]) await answer(each, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE' })
    await engine.http.patch(`${storages}/${made.id}`, { uri: 'nfs://server/b' })
    await answer(agent, 'storage.manage')
    await shows(made.id, refused)
    const at = connection(limited, made)
    expect((await engine.http.get(at)).body).toMatchObject({ uri, generation: 1, provisioningStatus: 'ACTIVE' })
    expect(limited.commands).toHaveLength(1)

    await engine.http.delete(`${storages}/${foreign.id}`)
    await answer(agent, 'storage.unmanage')
    const held = {
      subject: `storage-connection/${made.connectionId}`,
      generation: 1,
      status: 'UP',
      origin: 'plane',
      digest: digestOf({ uri, options: {} }),
    } as const
    limited.vanish()
    const mended = await WireAgent.open(engine.tcp, limited.again({ capabilities: said.capabilities }), [held])
    agents.push(mended)
    await engine.query(`UPDATE storage_refusals SET refused_at = now() - interval '1 hour'`)
    await label(mended, { ...labels, tools: 'installed' })
    expect((await answer(mended, 'storage.manage')).payload).toMatchObject({ uri: 'nfs://server/b' })
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 2, refused: 0 }, refusals: [] })
  })

  it('does not keep a host away from its removal that it is excepted from', async () => {
    const labels = rack()
    const agent = await host(labels)
    const made = await create({ selector: { labels } })
    await answer(agent, 'storage.manage')
    await shows(made.id, { provisioningStatus: 'ACTIVE' })
    await agent.close('leaving')
    agent.vanish()
    const at = `/api/v1/hosts/${agent.hostId}`
    await eventually(async () => expect((await engine.http.get(at)).body.connected).toBe(false))
    expect((await engine.http.delete(at)).body.type).toBe('urn:keelson:problem:in-use')
    await engine.http.patch(`${storages}/${made.id}`, { selector: { labels, exceptHostIds: [agent.hostId] } })
    await shows(made.id, { provisioningStatus: 'PENDING_UPDATE', hosts: { provisioning: { PENDING_DELETE: 1 } } })
    const { items } = (await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}`)).body
    await engine.http.post(`/api/v1/tombstones/${items[0].id}/forget`)
    expect((await engine.http.delete(at)).status).toBe(204)
    await shows(made.id, { provisioningStatus: 'ACTIVE', hosts: { total: 0 } })
  })
})

describe('asking for a storage', () => {
  const labels = { rack: 'never' }

  it.each([
    ['no name', { name: undefined }, 'name'],
    ['a control character in its name', { name: 'a\u0007' }, 'name'],
    ['a URI that is none', { uri: 'ftp://h/x' }, 'uri'],
    ['no selector', { selector: undefined }, 'selector'],
    ['a selector of nothing', { selector: {} }, 'selector'],
    ['a selector with more', { selector: { labels, any: 1 } }, 'selector.any'],
    ['labels that are none', { selector: { labels: { rack: 1 } } }, 'selector.labels'],
    ['a host that is none', { selector: { hostIds: ['h1'] } }, 'selector.hostIds'],
    ['a host that is not there', { selector: { hostIds: [randomUUID()] } }, 'selector.hostIds'],
    ['options that are none', { options: { ro: true } }, 'options'],
    ['credentials that are none', { credentials: { a: '' } }, 'credentials'],
  ])('is refused with %s, naming the field', async (_, change, field) => {
    const reply = await engine.http.post(storages, { name: 'bad', uri, selector: { labels }, ...change })
    expect(reply.status).toBe(422)
    expect(reply.body.faults.map((fault: Body) => fault.field)).toContain(field)
    expect((await engine.http.get(`${storages}?name=bad`)).body.items).toEqual([])
  })

  it('is done once for one Idempotency-Key', async () => {
    const headers = { 'idempotency-key': randomUUID() }
    const body = { name: `once-${randomUUID()}`, uri, selector: { labels } }
    const first = await engine.http.post(storages, body, { headers })
    const again = await engine.http.post(storages, body, { headers })
    expect(again.body.id).toBe(first.body.id)
  })

  it('is of a project: others see nothing of it, and may have one of its name', async () => {
    const [ours, theirs] = [await createProject(engine), await createProject(engine)]
    const operator = await callerWith(engine, { projects: { [ours]: 'operator' } })
    const stranger = await callerWith(engine, { projects: { [theirs]: 'operator' } })
    const viewer = await callerWith(engine, { projects: { [ours]: 'viewer' } })
    const made = await create({ name: 'mine', selector: { labels } }, operator.http)
    expect(made.projectId).toBe(ours)
    for (const ask of [
      () => stranger.http.get(`${storages}/${made.id}`),
      () => stranger.http.delete(`${storages}/${made.id}`),
      () => stranger.http.patch(`${storages}/${made.id}`, { name: 'x' }),
    ]) {
      expect((await ask()).status).toBe(404)
    }
    expect((await stranger.http.get(storages)).body.items).toEqual([])
    expect((await viewer.http.get(`${storages}/${made.id}`)).status).toBe(200)
    expect((await viewer.http.delete(`${storages}/${made.id}`)).status).toBe(403)
    await create({ name: 'mine', selector: { labels } }, stranger.http)
    expect((await operator.http.post(storages, { name: 'mine', uri, selector: { labels } })).body.type).toBe(
      'urn:keelson:problem:name-taken',
    )
    expect((await engine.http.delete(`/api/v1/projects/${ours}`)).body).toMatchObject({
      users: [{ noun: 'storage', id: made.id, name: 'mine' }],
    })
  })
})

async function see(agent: WireAgent, id: string, status: string) {
  await agent.observe([{ subject: `storage-connection/${id}`, generation: 1, status, fault: null }])
}
