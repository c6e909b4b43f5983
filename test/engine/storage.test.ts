import { startTestEngine, type TestEngine } from '../support/engine.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let agent: WireAgent

beforeAll(async () => {
  engine = await startTestEngine()
  agent = await WireAgent.open(engine.tcp, helloOf('s1'))
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

const path = (id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${encodeURIComponent(id)}`
const put = (id: string, body: object, headers: Record<string, string> = {}) =>
  engine.http.put(path(id), body, { headers })
const get = (id: string) => engine.http.get(path(id))

async function managed(id: string, uri = 'local:///srv/a'): Promise<void> {
  await put(id, { uri })
  await agent.report(await agent.command())
}

describe('putting a storage connection', () => {
  it.each(['FLOW101_a', 'with blank', 'ünïcødé', 'a.b', '..a', 'x'.repeat(255)])('takes the id %s', async (id) => {
    expect((await put(id, { uri: 'local:///srv/a' })).status).toBe(202)
    await agent.report(await agent.command())
    expect((await get(id)).body).toMatchObject({ connectionId: id, provisioningStatus: 'ACTIVE' })
  })

  it.each([
    ['a slash', 'a/b'],
    ['255 characters and one', 'x'.repeat(256)],
    ['a control character', 'a\u0007b'],
  ])('refuses an id with %s', async (_what, id) => {
    const reply = await put(id, { uri: 'local:///srv/a' })
    expect(reply.status).toBe(422)
    expect(reply.body.faults).toMatchObject([{ field: 'connectionId' }])
  })

  it.each([
    ['no scheme', '/srv/a'],
    ['an unknown scheme', 'ftp://h/x'],
    ['a host where there is none', 'local://h/srv'],
    ['a path upwards', 'local:///srv/../etc'],
    ['no path', 'local:///'],
    ['a fragment', 'local:///srv#x'],
    ['a blank in the options', 'posix:///srv/a?fstype=ext4 x'],
  ])('refuses a URI with %s, naming the field, and stores nothing', async (_what, uri) => {
    const reply = await put('bad-uri', { uri })
    expect(reply.status).toBe(422)
    expect(reply.body.faults).toMatchObject([{ field: 'uri' }])
    expect((await get('bad-uri')).status).toBe(404)
  })

  it.each([
    ['an option that the scheme does not have', { uri: 'local:///srv/a', options: { ro: '' } }, 'options.ro'],
    ['a value that the option does not take', { uri: 'nfs://server/a', options: { timeo: 'soon' } }, 'options.timeo'],
    [
      'a user without a password',
      { uri: 'iscsi://host/iqn.2026-01.org.example?chapUser=kim' },
      'credentials.chapPassword',
    ],
  ])('refuses %s, naming the field', async (_what, body, field) => {
    const reply = await put('bad-arguments', body)
    expect(reply).toMatchObject({ status: 422, body: { number: 453, faults: [{ field }] } })
    expect((await get('bad-arguments')).status).toBe(404)
  })

  it('refuses options that are no texts', async () => {
    const reply = await put('bad-options', { uri: 'local:///srv/a', options: { ro: true } })
    expect(reply.body.faults).toMatchObject([{ field: 'options' }])
  })

  it('is a success again with the same arguments, and sends nothing twice', async () => {
    await managed('same')
    const count = agent.commands.length
    expect(await put('same', { uri: 'local:///srv/a' })).toMatchObject({
      status: 202,
      body: { generation: 1, provisioningStatus: 'ACTIVE' },
    })
    await agent.beat()
    expect(agent.commands).toHaveLength(count)
  })

  it('is refused with other arguments, with the number of VDSM', async () => {
    await managed('other')
    expect(await put('other', { uri: 'local:///srv/b' })).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:id-in-use', number: 478 },
    })
  })

  it('changes the arguments under If-Match', async () => {
    await managed('changed')
    const reply = await put('changed', { uri: 'nfs://server/b', options: { ro: 'true' } }, { 'if-match': '"g1"' })
    expect(reply).toMatchObject({
      status: 202,
      body: { generation: 2, provisioningStatus: 'PENDING_UPDATE', uri: 'nfs://server/b' },
    })
    expect(await agent.command()).toMatchObject({ generation: 2, payload: { options: { ro: 'true' } } })
  })

  it('is 404 for an unknown host and with If-Match for an unknown id', async () => {
    const elsewhere = '/api/v1/hosts/00000000-0000-4000-8000-000000000000/storage-connections/a'
    expect((await engine.http.put(elsewhere, { uri: 'local:///srv/a' })).status).toBe(404)
    expect((await put('never', { uri: 'local:///srv/a' }, { 'if-match': '*' })).status).toBe(404)
  })
})

describe('deleting a storage connection', () => {
  it('is 404 for an unknown id', async () => {
    expect((await engine.http.delete(path('unknown'))).status).toBe(404)
  })

  it('is answered alike while it is under way', async () => {
    await managed('leaving')
    const first = await engine.http.delete(path('leaving'))
    const second = await engine.http.delete(path('leaving'))
    expect(second.body.commandId).toBe(first.body.commandId)
    await agent.report(await agent.command())
    expect((await get('leaving')).status).toBe(404)
  })

  it('that failed can be asked for again, and taken back by a put', async () => {
    await managed('stubborn')
    const fault = { type: 'unmount-failed', message: 'umount: target is busy', number: 452 }
    await engine.http.delete(path('stubborn'))
    await agent.report(await agent.command(), { state: 'failed', result: undefined, fault })
    expect((await get('stubborn')).body).toMatchObject({ provisioningStatus: 'ERROR', fault })
    await put('stubborn', { uri: 'local:///srv/a' })
    await agent.report(await agent.command())
    expect((await get('stubborn')).body).toMatchObject({ provisioningStatus: 'ACTIVE', fault: null })
    expect((await engine.http.get(`/api/v1/tombstones?hostId=${agent.hostId}&state=waiting`)).body.items).toEqual([])
  })
})

describe('what is seen of a storage connection', () => {
  it('comes by observations, and does not move the ETag', async () => {
    await managed('seen')
    const before = (await get('seen')).headers.get('etag')
    const fault = { type: 'mount-failed', message: 'mount: no such device', number: 477 }
    await agent.observe([{ subject: 'storage-connection/seen', generation: 1, status: 'DOWN', fault }])
    const reply = await get('seen')
    expect(reply.body).toMatchObject({
      operatingStatus: 'DOWN',
      connected: false,
      lastError: fault,
      provisioningStatus: 'ACTIVE',
    })
    expect(reply.headers.get('etag')).toBe(before)
    await agent.observe([{ subject: 'storage-connection/seen', generation: 1, status: 'UP', fault: null }])
    expect((await get('seen')).body).toMatchObject({ operatingStatus: 'UP', connected: true, lastError: null })
  })

  it('is listed per host with filters', async () => {
    await managed('listed')
    await agent.observe([{ subject: 'storage-connection/listed', generation: 1, status: 'STUCK', fault: null }])
    const { body } = await engine.http.get(`/api/v1/hosts/${agent.hostId}/storage-connections?operatingStatus=STUCK`)
    expect(body.items.map((c: { connectionId: string }) => c.connectionId)).toEqual(['listed'])
  })
})

describe('a repeated POST', () => {
  it('with one Idempotency-Key acts once, however many come at once', async () => {
    await managed('reset-me')
    const count = agent.commands.length
    const headers = { 'idempotency-key': 'one-reset' }
    const replies = await Promise.all(
      Array.from({ length: 20 }, () => engine.http.post(`${path('reset-me')}/reset`, undefined, { headers })),
    )
    expect(new Set(replies.map((r) => r.status))).toEqual(new Set([202]))
    expect(new Set(replies.map((r) => r.body.commandId)).size).toBe(1)
    const command = await agent.command()
    await agent.permit(command)
    await agent.report(command)
    expect(agent.commands).toHaveLength(count + 1)
  })
})
