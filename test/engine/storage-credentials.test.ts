import { Writable } from 'node:stream'
import { callerWith, createProject } from '../support/callers.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const SECRET = 'canary-chap-secret-one'
const OTHER = 'canary-chap-secret-two'

let engine: TestEngine
let agent: WireAgent
let log = ''

beforeAll(async () => {
  const output = new Writable({
    write(chunk, _encoding, done) {
      log += String(chunk)
      done()
    },
  })
  engine = await startTestEngine({ logLevel: 'trace' }, output)
  agent = await WireAgent.open(engine.tcp, helloOf('s1'))
})
afterAll(async () => {
  agent.vanish()
  await engine.stop()
})

const uri = 'iscsi://192.0.2.1/iqn.2026-01.org.example:a?chapUser=u'
const withoutLogin = 'iscsi://192.0.2.1/iqn.2026-01.org.example:a'
const path = (id: string) => `/api/v1/hosts/${agent.hostId}/storage-connections/${id}`
const put = (id: string, body: object, headers: Record<string, string> = {}) =>
  engine.http.put(path(id), body, { headers })
const ifMatch = { 'if-match': '*' }

async function managed(id: string, chapPassword = SECRET): Promise<void> {
  await put(id, { uri, credentials: { chapPassword } })
  await agent.report(await agent.command())
}

describe('credentials of a storage connection', () => {
  it('go to the host, and are shown by their names alone', async () => {
    const reply = await put('told', { uri, credentials: { chapPassword: SECRET } })
    expect(reply).toMatchObject({ status: 202, body: { credentialNames: ['chapPassword'] } })
    const command = await agent.command()
    expect(command).toMatchObject({ kind: 'storage.manage', payload: { uri, credentials: { chapPassword: SECRET } } })
    await agent.report(command)
    expect((await engine.http.get(path('told'))).body).toMatchObject({ credentialNames: ['chapPassword'] })
    const { body } = await engine.http.get(`/api/v1/hosts/${agent.hostId}/storage-connections`)
    expect(JSON.stringify(body)).not.toContain(SECRET)
  })

  it('are a success again with the same ones or none said, and send nothing twice', async () => {
    await managed('same')
    const count = agent.commands.length
    expect(await put('same', { uri, credentials: { chapPassword: SECRET } })).toMatchObject({
      status: 202,
      body: { generation: 1 },
    })
    expect((await put('same', { uri })).body).toMatchObject({ generation: 1, credentialNames: ['chapPassword'] })
    await agent.beat()
    expect(agent.commands).toHaveLength(count)
  })

  it.each([
    ['other ones', { uri, credentials: { chapPassword: OTHER } }],
    ['more of them', { uri: `${uri}&chapUserIn=v`, credentials: { chapPassword: SECRET, chapPasswordIn: OTHER } }],
    ['none', { uri: withoutLogin, credentials: {} }],
  ])('are refused with %s, with the number of VDSM', async (what, body) => {
    const id = what.replaceAll(' ', '-')
    await managed(id)
    expect(await put(id, body)).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:id-in-use', number: 478 },
    })
  })

  it('are rotated under If-Match: another generation, another command', async () => {
    await managed('rotated')
    const reply = await put('rotated', { uri, credentials: { chapPassword: OTHER } }, { 'if-match': '"g1"' })
    expect(reply).toMatchObject({ status: 202, body: { generation: 2, provisioningStatus: 'PENDING_UPDATE' } })
    const command = await agent.command()
    expect(command).toMatchObject({ generation: 2, payload: { credentials: { chapPassword: OTHER } } })
    await agent.report(command)
    await put('rotated', { uri: withoutLogin, credentials: {} }, ifMatch)
    const last = await agent.command()
    expect(last.payload).not.toHaveProperty('credentials')
    await agent.report(last)
    expect((await engine.http.get(path('rotated'))).body).toMatchObject({ credentialNames: [], generation: 3 })
  })

  it('stay when only options are changed, and must be given again for another URI', async () => {
    await managed('moved')
    await put('moved', { uri, options: { lun: '1' } }, ifMatch)
    const command = await agent.command()
    expect(command).toMatchObject({ payload: { options: { lun: '1' }, credentials: { chapPassword: SECRET } } })
    await agent.report(command)
    const spelled = uri.replace('192.0.2.1', '192.0.2.1:3260').replace('?', ';portal=1?')
    await put('moved', { uri: spelled, options: { lun: '2' } }, ifMatch)
    const again = await agent.command()
    expect(again).toMatchObject({ payload: { uri: spelled, credentials: { chapPassword: SECRET } } })
    await agent.report(again)
    expect(
      await put('moved', { uri: 'iscsi://192.0.2.2/iqn.2026-01.org.example:b?chapUser=u' }, ifMatch),
    ).toMatchObject({
      status: 422,
      body: { number: 453, faults: [{ field: 'credentials' }] },
    })
    expect(
      (await put('moved', { uri: 'iscsi://192.0.2.2/iqn.2026-01.org.example:b', credentials: {} }, ifMatch)).status,
    ).toBe(202)
    await agent.report(await agent.command())
  })

  it('are sent again to a host that has lost them', async () => {
    const first = await WireAgent.open(engine.tcp, helloOf('forgetful'))
    const body = { uri, credentials: { chapPassword: SECRET } }
    await engine.http.put(`/api/v1/hosts/${first.hostId}/storage-connections/lost`, body)
    await first.report(await first.command())
    first.vanish()
    const again = await WireAgent.open(engine.tcp, first.again())
    expect(await again.command()).toMatchObject({ payload: { credentials: { chapPassword: SECRET } } })
    again.vanish()
  })

  it.each([
    ['no texts', { chapPassword: 7 }],
    ['an empty text', { chapPassword: '' }],
    ['a line break', { chapPassword: 'a\nnode.startup = automatic' }],
    ['a name that is none', { 'chap password': SECRET }],
    ['a list', [SECRET]],
    ['too many', Object.fromEntries(Array.from({ length: 17 }, (_, n) => [`a${n}`, SECRET]))],
  ])('with %s are refused, naming the field and not the text', async (_, credentials) => {
    const reply = await put('bad', { uri, credentials })
    expect(reply).toMatchObject({ status: 422, body: { faults: [{ field: 'credentials' }] } })
    expect(JSON.stringify(reply.body)).not.toContain(SECRET)
    expect((await engine.http.get(path('bad'))).status).toBe(404)
  })

  it('of an ended command are gone, and those of a waiting one are sealed', async () => {
    await managed('ended')
    const host = await engine.http.post('/api/v1/hosts', { name: 'away' })
    const at = `/api/v1/hosts/${host.body.id}/storage-connections/waiting`
    await engine.http.put(at, { uri, credentials: { chapPassword: SECRET } })
    const rows = await engine.query('SELECT subject, state, payload, sealed_secrets AS sealed FROM commands')
    const of = (id: string) => rows.find((row) => row.subject === `storage-connection/${id}`)
    expect(of('ended')).toMatchObject({ state: 'succeeded', sealed: null })
    expect(of('waiting')).toMatchObject({ state: 'queued', sealed: expect.stringMatching(/^sealed:1:/) })
    expect(JSON.stringify(rows)).not.toMatch(/canary-chap|credentials/)
    // superseded: never to be sent
    await engine.http.put(
      at,
      { uri, credentials: { chapPassword: OTHER } },
      { headers: { ...ifMatch, prefer: 'coalesce' } },
    )
    const states = await engine.query(
      `SELECT state, sealed_secrets IS NULL AS gone FROM commands WHERE subject = 'storage-connection/waiting' ORDER BY seq`,
    )
    expect(states).toEqual([
      { state: 'superseded', gone: true },
      { state: 'queued', gone: false },
    ])
  })

  it('are in no row, event, audit entry or log', async () => {
    await managed('searched')
    const tables = await engine.query<{ name: string }>(
      `SELECT quote_ident(tablename) AS name FROM pg_tables WHERE schemaname = 'public'`,
    )
    for (const { name } of tables) {
      const rows = await engine.query(`SELECT t::text AS text FROM ${name} t`)
      expect(`${name}: ${rows.map(({ text }) => text).join('\n')}`).not.toContain('canary-chap')
    }
    expect(log.length).toBeGreaterThan(1_000)
    expect(log).not.toContain('canary-chap')
  })

  it("of another project's connection are not told apart by guessing", async () => {
    const [ours, theirs] = [await createProject(engine), await createProject(engine)]
    await engine.http.put(path('guarded'), { uri, credentials: { chapPassword: SECRET }, projectId: ours })
    await agent.report(await agent.command())
    const stranger = await callerWith(engine, { projects: { [theirs]: 'operator' } })
    const answers = await Promise.all(
      [SECRET, OTHER].map((chapPassword) => stranger.http.put(path('guarded'), { uri, credentials: { chapPassword } })),
    )
    expect(answers.map(({ status, body }) => [status, body.detail])).toEqual([
      [409, 'guarded is in use on this host'],
      [409, 'guarded is in use on this host'],
    ])
  })
})
