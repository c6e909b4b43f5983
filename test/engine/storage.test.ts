import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { digestOf } from '../../src/wire/digest.js'
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
  it.each(['FLOW101_a', 'with blank', 'ünïcødé', 'a.b', '..a', 'x'.repeat(255), '𝒳'.repeat(255), '%2F', 'a?b#c'])(
    'takes the id %s',
    async (id) => {
      expect((await put(id, { uri: 'local:///srv/a' })).status).toBe(202)
      await agent.report(await agent.command())
      expect((await get(id)).body).toMatchObject({ connectionId: id, provisioningStatus: 'ACTIVE' })
    },
  )

  it.each([
    ['a slash', 'a/b'],
    ['255 characters and one', 'x'.repeat(256)],
    ['many more', 'x'.repeat(1_500)],
    ['255 characters beyond the BMP and one', '𝒳'.repeat(256)],
    ['a control character', 'a\u0007b'],
    ['a line break', 'a\nb'],
  ])('refuses an id with %s', async (_what, id) => {
    const reply = await put(id, { uri: 'local:///srv/a' })
    expect(reply).toMatchObject({ status: 422, body: { number: 453, faults: [{ field: 'connectionId' }] } })
  })

  it.each([
    ['.', '/.'],
    ['..', '/..'],
    ['. that is encoded', '/%2e'],
    ['.. that is encoded', '/%2E%2e'],
    ['a slash that is encoded', '/a%2Fb'],
    ['a slash that is encoded, in lower case', '/%2f'],
  ])('refuses %s as an id, whatever clients make of paths', async (_what, id) => {
    const { hostname, port } = new URL(engine.url)
    const socket = connect(Number(port), hostname)
    socket.write(
      `GET /api/v1/hosts/${agent.hostId}/storage-connections${id} HTTP/1.1\r\nhost: x\r\nconnection: close\r\nauthorization: Bearer ${engine.token}\r\n\r\n`,
    )
    let reply = ''
    for await (const chunk of socket) reply += String(chunk)
    expect(reply).toMatch(/^HTTP\/1\.1 422 (?=.*"number":453).*"field":"connectionId"/s)
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
    expect(reply).toMatchObject({ status: 422, body: { number: 453, faults: [{ field: 'uri' }] } })
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

  it('refuses a scheme that the host has said it cannot connect, in its words, and stores nothing', async () => {
    const { said } = helloOf('lame')
    const lacks = [{ capability: 'storage:nfs', message: 'the program mount.nfs is not installed' }]
    const lame = await WireAgent.open(engine.tcp, {
      host: 'lame',
      said: { ...said, capabilities: ['storage:local'], facts: { ...said.facts, lacks } },
    })
    const at = (id: string) => `/api/v1/hosts/${lame.hostId}/storage-connections/${id}`
    const reply = await engine.http.put(at('a'), { uri: 'nfs://server/a' })
    expect(reply).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:unsupported-by-host', capability: 'storage:nfs' },
    })
    expect(reply.body.detail).toBe('lame lacks the capability storage:nfs: the program mount.nfs is not installed')
    expect((await engine.http.put(at('a'), { uri: 'glusterfs://server/a' })).status).toBe(409)
    expect((await engine.http.get(at('a'))).status).toBe(404)
    expect((await engine.http.put(at('a'), { uri: 'local:///srv' })).status).toBe(202)
    expect((await engine.http.get(`/api/v1/hosts/${lame.hostId}`)).body.facts.lacks).toEqual(lacks)
    lame.vanish()
  })

  it('refuses a type that the host cannot mount, by its name, and takes the others', async () => {
    const { said } = helloOf('without-xfs')
    const lacks = [{ capability: 'storage:posix:xfs', message: 'the kernel knows no xfs' }]
    const host = await WireAgent.open(engine.tcp, {
      host: 'without-xfs',
      said: { ...said, facts: { ...said.facts, lacks } },
    })
    const at = `/api/v1/hosts/${host.hostId}/storage-connections/a`
    const asked = { uri: 'posix:///dev/sdb1?fstype=xfs' }
    const ways: Record<string, string>[] = [{}, { 'idempotency-key': 'without-xfs' }]
    // by one statement, and step by step
    for (const headers of ways) {
      expect(await engine.http.put(at, asked, { headers })).toMatchObject({
        status: 409,
        body: {
          type: 'urn:keelson:problem:unsupported-by-host',
          capability: 'storage:posix:xfs',
          detail: 'without-xfs lacks the capability storage:posix:xfs: the kernel knows no xfs',
        },
      })
    }
    expect((await engine.http.put(at, { uri: 'posix:///dev/sdb1?fstype=ext4' })).status).toBe(202)
    await host.report(await host.command())
    expect((await engine.http.put(at, asked, { headers: { 'if-match': '"g1"' } })).status).toBe(409)
    host.vanish()
  })

  it('refuses a change to a scheme that the host cannot connect, and leaves what there is', async () => {
    const { said } = helloOf('limited')
    const limited = await WireAgent.open(engine.tcp, {
      host: 'limited',
      said: { ...said, capabilities: ['storage:local'] },
    })
    const at = `/api/v1/hosts/${limited.hostId}/storage-connections/a`
    await engine.http.put(at, { uri: 'local:///srv' })
    await limited.report(await limited.command())
    const change = (uri: string) => engine.http.put(at, { uri }, { headers: { 'if-match': '*' } })
    expect(await change('nfs://server/a')).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:unsupported-by-host', capability: 'storage:nfs' },
    })
    expect((await engine.http.get(at)).body).toMatchObject({ uri: 'local:///srv', provisioningStatus: 'ACTIVE' })
    expect((await change('local:///other')).status).toBe(202)
    await limited.report(await limited.command())
    limited.vanish()
    const digest = digestOf({ uri: 'local:///other', options: {} })
    const held = { subject: 'storage-connection/a', generation: 2, status: 'UP', origin: 'plane', digest } as const
    const poorer = await WireAgent.open(engine.tcp, limited.again({ capabilities: [] }), [held])
    expect(await change('local:///third')).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:unsupported-by-host', capability: 'storage:local' },
    })
    poorer.vanish()
  })

  it.each([
    ['an empty URI', { uri: '' }, 'uri'],
    ['a URI without end', { uri: `local:///${'a'.repeat(2048)}` }, 'uri'],
    ['options that are no texts', { uri: 'local:///srv/a', options: { ro: true } }, 'options'],
    ['an option that no scheme could have', { uri: 'local:///srv/a', options: { 'ro,exec': '' } }, 'options'],
  ])('refuses %s, naming the field', async (_what, body, field) => {
    const reply = await put('bad-body', body)
    expect(reply).toMatchObject({ status: 422, body: { number: 453, faults: [{ field }] } })
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

  it('is a success again in another spelling, which changes nothing', async () => {
    await managed('spelled', 'nfs://server/a?timeo=50')
    const count = agent.commands.length
    const said = { uri: 'nfs://SERVER:2049//a/', options: { retrans: '3', timeo: '50' } }
    const held = { generation: 1, provisioningStatus: 'ACTIVE', uri: 'nfs://server/a?timeo=50', options: {} }
    for (const headers of [{}, { 'if-match': '*' }] as Record<string, string>[])
      expect(await put('spelled', said, headers)).toMatchObject({ status: 202, body: held })
    const other = { ...said, options: { ...said.options, ro: '' } }
    expect(await put('spelled', other)).toMatchObject({ status: 409, body: { number: 478 } })
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
    expect(await engine.http.delete(path('unknown'))).toMatchObject({ status: 404, body: { number: 479 } })
    expect(await get('unknown')).toMatchObject({ status: 404, body: { number: 479 } })
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

  it('has the time of its error from the host, where the host tells it', async () => {
    await managed('timed')
    const fault = { type: 'mount-failed', message: 'mount: no such device', number: 477 }
    const subject = 'storage-connection/timed'
    await agent.observe([{ subject, generation: 1, status: 'DOWN', fault }])
    expect((await get('timed')).body.lastError.at).toMatch(/^\d{4}-/)
    const at = '2020-02-29T12:00:00.123Z'
    await agent.observe([{ subject, generation: 1, status: 'DOWN', fault: { ...fault, at } }])
    expect((await get('timed')).body.lastError).toEqual({ ...fault, at })
    const { body } = await engine.http.get(`/api/v1/storage-readiness?connectionId=timed&hostId=${agent.hostId}`)
    expect(body.items[0].lacking[0].fault).toEqual({ ...fault, at })
    const undated = { ...fault, at: 'yesterday' }
    expect(await agent.observe([{ subject, generation: 1, status: 'DOWN', fault: undated }])).toMatchObject({
      refused: true,
      code: 'bad-message',
    })
  })

  it('is listed per host with filters', async () => {
    await managed('listed')
    await agent.observe([{ subject: 'storage-connection/listed', generation: 1, status: 'STUCK', fault: null }])
    const { body } = await engine.http.get(`/api/v1/hosts/${agent.hostId}/storage-connections?operatingStatus=STUCK`)
    expect(body.items.map((c: { connectionId: string }) => c.connectionId)).toEqual(['listed'])
  })

  it('is found by what an operator knows of it', async () => {
    await managed('found_1', 'posix:///srv/found.img?fstype=ext4')
    await managed('found%2')
    const since = new Date().toISOString()
    await agent.observe([{ subject: 'storage-connection/found_1', generation: 1, status: 'DEGRADED', fault: null }])
    const { target, targetId, connectedSince } = (await get('found_1')).body
    expect(connectedSince >= since).toBe(true)
    const ids = async (query: string, list = `/api/v1/hosts/${agent.hostId}/storage-connections`) =>
      (await engine.http.get(`${list}?prefix=found&${query}`)).body.items.map(
        (c: { connectionId: string }) => c.connectionId,
      )
    for (const list of [undefined, '/api/v1/storage-connections']) {
      expect(await ids('', list)).toEqual(['found%2', 'found_1'])
      expect(await ids('scheme=posix', list)).toEqual(['found_1'])
      expect(await ids('scheme=LOCAL&scheme=nfs', list)).toEqual(['found%2'])
      expect(await ids(`target=${encodeURIComponent(target)}`, list)).toEqual(['found_1'])
      expect(await ids(`targetId=${targetId}`, list)).toEqual(['found_1'])
      expect(await ids('connected=true', list)).toEqual(['found_1'])
      expect(await ids('connected=false', list)).toEqual(['found%2'])
      expect(await ids('connected=false&connected=true', list)).toHaveLength(2)
      expect(await ids(`connectedSince=${since}`, list)).toEqual(['found_1'])
      expect(await ids('connectedSince=2999-01-01T00:00:00Z', list)).toEqual([])
      expect(await ids('sort=-connectedSince', list)).toHaveLength(2)
    }
    expect(await ids(`hostId=${agent.hostId}`, '/api/v1/storage-connections')).toHaveLength(2)
    expect(await ids(`hostId=${randomUUID()}`, '/api/v1/storage-connections')).toEqual([])
    expect((await engine.http.get('/api/v1/storage-connections?connectedSince=2026-01-01T25:00:00Z')).status).toBe(422)
    await agent.observe([{ subject: 'storage-connection/found_1', generation: 1, status: 'DOWN', fault: null }])
    expect((await get('found_1')).body.connectedSince).toBeNull()
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
