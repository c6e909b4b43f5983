import 'reflect-metadata'
import { generateKeyPairSync, randomUUID, webcrypto } from 'node:crypto'
import { Pkcs10CertificateRequestGenerator } from '@peculiar/x509'
import { newKeyAndRequest } from '../../src/agent/certificate-request.js'
import { readJoinToken, writeJoinToken } from '../../src/wire/join-token.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { A_SECOND } from '../support/soon.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'
import { rowsOf } from './support/audit.js'

type Algorithm = webcrypto.Algorithm | webcrypto.EcKeyGenParams | webcrypto.RsaHashedKeyGenParams

const TOKENS = '/api/v1/hosts/join-tokens'
let engine: TestEngine
let csr: string
const agents: WireAgent[] = []

beforeAll(async () => {
  engine = await startTestEngine()
  csr = (await newKeyAndRequest()).csr
})
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(() => engine?.stop())

/** As a machine does that nobody knows. */
const enrol = (body: object, headers?: Record<string, string>) =>
  http(engine.url).post('/api/v1/enrolment', { csr, ...body }, { headers })
const hostsCalled = async (name: string) => (await engine.http.get(`/api/v1/hosts?name=${name}`)).body.items
const problem = (type: string) => `urn:keelson:problem:${type}`

async function csrOf(algorithm: Algorithm): Promise<string> {
  const keys = await webcrypto.subtle.generateKey(algorithm as webcrypto.EcKeyGenParams, true, ['sign', 'verify'])
  const request = await Pkcs10CertificateRequestGenerator.create({ name: 'CN=x', keys, signingAlgorithm: algorithm })
  return request.toString('pem')
}

describe('a join token', () => {
  it('is good for one host for an hour, unless something else was asked for', async () => {
    const { status, body, headers } = await engine.http.post(TOKENS, {})
    expect(status).toBe(201)
    expect(headers.get('location')).toBe(`${TOKENS}/${body.id}`)
    expect(body).toMatchObject({ uses: 1, used: 0, replace: false, name: null, lastUsedAt: null })
    const lifeMs = Date.parse(body.expiresAt) - Date.parse(body.createdAt)
    expect(Math.round(lifeMs / 1_000)).toBe(3_600)
  })

  it('carries all that a machine needs to find the plane, and to know it', async () => {
    const token = readJoinToken(await engine.joinToken())
    const [authority] = await engine.query('SELECT fingerprint FROM certificate_authorities')
    expect(token).toMatchObject({
      authorities: [authority?.fingerprint],
      rest: [engine.url],
      tcp: [`127.0.0.1:${engine.tcp.port}`],
      restCertificate: null,
    })
  })

  it('is shown once, and kept as a hash', async () => {
    const { body } = await engine.http.post(TOKENS, {}, { headers: { 'idempotency-key': 'shown-once' } })
    const { secret } = readJoinToken(body.token)!
    const listed = await engine.http.get(`${TOKENS}?limit=500`)
    expect(JSON.stringify(listed.body)).not.toContain(secret)
    for (const table of ['join_tokens', 'idempotency_keys', 'events']) {
      const [row] = await engine.query(`SELECT string_agg(t::text, ',') AS text FROM ${table} t`)
      expect(row?.text ?? '').not.toContain(body.token)
      expect(row?.text ?? '').not.toContain(secret)
    }
    const again = await engine.http.post(TOKENS, {}, { headers: { 'idempotency-key': 'shown-once' } })
    expect(again.body).toEqual(body)
  })

  it('is refused outside of its bounds', async () => {
    for (const wrong of [
      { uses: 0 },
      { uses: 10_001 },
      { lifeMs: 7 * 86_400_000 + 1 },
      { name: 'a/b' },
      { replace: 1 },
    ])
      expect([wrong, (await engine.http.post(TOKENS, wrong)).status]).toEqual([wrong, 422])
  })

  it('opens nothing once it was taken back', async () => {
    const { body } = await engine.http.post(TOKENS, {})
    expect((await engine.http.delete(`${TOKENS}/${body.id}`)).status).toBe(204)
    expect((await engine.http.delete(`${TOKENS}/${body.id}`)).status).toBe(404)
    expect(await enrol({ token: body.token, name: 'too-late' })).toMatchObject({ status: 401 })
  })
})

describe('an enrolment', () => {
  it('makes a host of the name, with a certificate that its list shows', async () => {
    const { status, body } = await enrol({ token: await engine.joinToken({}), name: 'new' })
    expect(status).toBe(200)
    expect(body).toMatchObject({ name: 'new', engines: [`127.0.0.1:${engine.tcp.port}`] })
    const [host] = await hostsCalled('new')
    expect(host).toMatchObject({ id: body.hostId, status: 'Down' })
    const certificates = (await engine.http.get(`/api/v1/hosts/${body.hostId}/certificates`)).body.items
    expect(certificates).toMatchObject([{ revokedAt: null }])
    const lifeDays = (Date.parse(certificates[0].notAfter) - Date.now()) / 86_400_000
    expect(lifeDays).toBeCloseTo(30, 1)
  })

  it('takes a host that was only made known', async () => {
    const { body: host } = await engine.http.post('/api/v1/hosts', { name: 'expected', labels: { rack: 'a' } })
    const { body } = await enrol({ token: await engine.joinToken({}), name: 'expected' })
    expect(body.hostId).toBe(host.id)
  })

  it('spends a use of its token, and finds none left the second time', async () => {
    const token = await engine.joinToken({})
    expect((await enrol({ token, name: 'first' })).status).toBe(200)
    expect(await enrol({ token, name: 'second' })).toMatchObject({
      status: 403,
      body: { type: problem('join-token-used') },
    })
    expect(await hostsCalled('second')).toEqual([])
  })

  it('is one alone when twenty machines use one token at once', async () => {
    const token = await engine.joinToken({})
    const replies = await Promise.all(Array.from({ length: 20 }, (_, n) => enrol({ token, name: `at-once-${n}` })))
    expect(replies.filter(({ status }) => status === 200)).toHaveLength(1)
    expect(replies.filter(({ body }) => body.type === problem('join-token-used'))).toHaveLength(19)
    const made = await engine.query(`SELECT id FROM hosts WHERE name LIKE 'at-once-%'`)
    expect(made).toHaveLength(1)
    expect(
      await engine.query(`SELECT serial FROM host_certificates c JOIN hosts h ON h.id = c.host_id
      WHERE h.name LIKE 'at-once-%'`),
    ).toHaveLength(1)
  })

  it('is refused when the token has expired', async () => {
    const token = await engine.joinToken({ lifeMs: 1_000 })
    await eventually(async () => {
      const [row] = await engine.query('SELECT 1 FROM join_tokens WHERE id = $1 AND expires_at <= now()', [
        readJoinToken(token)?.id,
      ])
      expect(row).toBeDefined()
    })
    expect(await enrol({ token, name: 'late' })).toMatchObject({
      status: 403,
      body: { type: problem('join-token-expired') },
    })
    expect(await hostsCalled('late')).toEqual([])
  })

  it('by a token that is dead says so and nothing else, whatever is asked with it', async () => {
    await enrol({ token: await engine.joinToken({}), name: 'taken-name' })
    const [used, named] = [await engine.joinToken({}), await engine.joinToken({ name: 'its-own-name' })]
    await enrol({ token: used, name: 'spends-it' })
    await enrol({ token: named, name: 'its-own-name' })
    const dead = { status: 403, body: { type: problem('join-token-used') } }
    expect(await enrol({ token: used, name: 'taken-name' })).toMatchObject(dead)
    expect(await enrol({ token: used, name: 'free-name' })).toMatchObject(dead)
    expect(await enrol({ token: used, name: 'free-name', csr: 'x' })).toMatchObject(dead)
    const other = await enrol({ token: named, name: 'taken-name' })
    expect(other).toMatchObject(dead)
    expect(JSON.stringify(other.body)).not.toContain('its-own-name')
  })

  it('is in the audit log with its token and the host that it made, also where it is refused', async () => {
    const token = await engine.joinToken({})
    const { id } = readJoinToken(token)!
    const [good, bad] = [randomUUID(), randomUUID()]
    const { body } = await enrol({ token, name: 'on-record' }, { 'x-request-id': good })
    await enrol({ token, name: 'on-record-too' }, { 'x-request-id': bad })
    const by = { operation: 'enrolment.create', userId: null, userName: `join token ${id}` }
    const [made] = await rowsOf(engine, good)
    expect(made).toMatchObject({ ...by, subjects: [`join-token/${id}`, `host/${body.hostId}`], status: 200 })
    const [refused] = await rowsOf(engine, bad)
    expect(refused).toMatchObject({ ...by, subjects: [`join-token/${id}`], problem: 'join-token-used' })
  })

  it('is refused for another name than its token is for', async () => {
    const token = await engine.joinToken({ name: 'mine' })
    expect(await enrol({ token, name: 'yours' })).toMatchObject({
      status: 403,
      body: { type: problem('join-token-other-name') },
    })
    expect((await enrol({ token, name: 'mine' })).status).toBe(200)
  })

  it('does not take the name of a host that is enrolled, unless its token replaces', async () => {
    const agent = await WireAgent.open(engine.tcp, helloOf('known'))
    agents.push(agent)
    expect(await enrol({ token: await engine.joinToken({}), name: 'known' })).toMatchObject({
      status: 409,
      body: { type: problem('name-taken') },
    })
    expect(await agent.beat()).toEqual({ ok: true })
    const startedMs = performance.now()
    const replaced = await enrol({ token: await engine.joinToken({ replace: true }), name: 'known' })
    expect(replaced).toMatchObject({ status: 200, body: { hostId: agent.hostId } })
    await eventually(() => expect(agent.goodbye).toMatchObject({ reason: 'refused' }))
    expect(performance.now() - startedMs).toBeLessThan(A_SECOND)
    const { items } = (await engine.http.get(`/api/v1/hosts/${agent.hostId}/certificates`)).body
    expect(items.map((c: { revokedReason: string | null }) => c.revokedReason)).toEqual([null, 'it was enrolled anew'])
  })

  it('certifies keys on P-256 and P-384, and Ed25519 ones', async () => {
    const algorithms = [
      { name: 'ECDSA', namedCurve: 'P-256', hash: 'SHA-256' },
      { name: 'ECDSA', namedCurve: 'P-384', hash: 'SHA-384' },
      { name: 'Ed25519' },
    ]
    for (const [n, algorithm] of algorithms.entries()) {
      const body = { token: await engine.joinToken({}), name: `key-${n}`, csr: await csrOf(algorithm) }
      expect([algorithm, (await enrol(body)).status]).toEqual([algorithm, 200])
    }
  })

  it('refuses a request that is none, or not signed with its own key, or of another kind of key, and spends no use', async () => {
    const token = await engine.joinToken({})
    const spoilt = Buffer.from(csr.replace(/-----[^-]+-----|\s/g, ''), 'base64')
    spoilt[spoilt.length - 1]! ^= 1
    const rsa = {
      name: 'RSASSA-PKCS1-v1_5',
      hash: 'SHA-256',
      publicExponent: new Uint8Array([1, 0, 1]),
      modulusLength: 2048,
    }
    const requests = [
      'nonsense',
      `-----BEGIN CERTIFICATE REQUEST-----\n${spoilt.toString('base64')}\n-----END CERTIFICATE REQUEST-----`,
      '-----BEGIN CERTIFICATE REQUEST-----\nAAAA\n-----END CERTIFICATE REQUEST-----',
      await csrOf(rsa),
      await csrOf({ name: 'ECDSA', namedCurve: 'P-521', hash: 'SHA-512' }),
      generateKeyPairSync('ec', { namedCurve: 'P-256' }).publicKey.export({ type: 'spki', format: 'pem' }).toString(),
    ]
    for (const request of requests) {
      expect(await enrol({ token, name: 'odd', csr: request })).toMatchObject({
        status: 422,
        body: { type: problem('csr-refused') },
      })
    }
    expect((await enrol({ token, name: 'odd' })).status).toBe(200)
  })

  it('says what the plane says in the certificate, whatever the request says', async () => {
    const { body } = await enrol({ token: await engine.joinToken({}), name: 'honest' })
    const { X509Certificate } = await import('node:crypto')
    const certificate = new X509Certificate(body.certificate)
    expect(certificate.subject).toBe(`CN=${body.hostId}`)
    expect(certificate.subjectAltName).toBe(`URI:urn:keelson:host:${body.hostId}`)
    expect(certificate.ca).toBe(false)
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.2'])
  })
})

describe('somebody who guesses join tokens', () => {
  let guessed: TestEngine
  beforeAll(async () => {
    guessed = await startTestEngine()
  })
  afterAll(() => guessed?.stop())

  it('learns nothing by the answer, and is locked out on every replica, also with a token that is good', async () => {
    await guessed.http.put('/api/v1/settings/limits.enrolmentFailures', { value: 4 })
    await guessed.http.put('/api/v1/settings/limits.lockoutMs', { value: 2_000 })
    const good = await guessed.joinToken()
    const token = readJoinToken(good)!
    const guess = (text: string, url = guessed.url) =>
      http(url).post('/api/v1/enrolment', { token: text, name: 'guesser', csr })
    await eventually(async () => {
      const { body } = await guessed.http.get('/api/v1/settings/limits.enrolmentFailures')
      expect(body.value).toBe(4)
    })
    const other = await guessed.replica()
    const wrong = [
      writeJoinToken({ ...token, secret: 'A'.repeat(43) }),
      writeJoinToken({ ...token, id: '00000000-0000-4000-8000-00000000dead' }),
      'kjt_nonsense',
      'nonsense',
    ]
    const answers = await Promise.all(wrong.slice(0, 1).map((text) => guess(text)))
    for (const text of wrong.slice(1)) answers.push(await guess(text))
    for (const { status, body } of answers)
      expect({ status, type: body.type, detail: body.detail }).toEqual({
        status: 401,
        type: problem('join-token-unknown'),
        detail: 'there is no such join token',
      })
    for (const url of [guessed.url, other.url]) {
      const locked = await guess(good, url)
      expect(locked).toMatchObject({ status: 429, body: { type: problem('too-many-requests') } })
      expect(Number(locked.headers.get('retry-after'))).toBeGreaterThan(0)
    }
    await eventually(async () => expect((await guess(good)).status).toBe(200), { timeoutMs: 10_000, intervalMs: 250 })
    await other.stop()
  })

  it('gets no more guesses at once than one after the other', async () => {
    const { http: admin, query, url } = guessed
    await eventually(async () => {
      const { body } = await admin.get('/api/v1/settings/limits.enrolmentFailures')
      expect(body.value).toBe(4)
    })
    await query('DELETE FROM limit_counters')
    const guess = (index: number) =>
      http(url).post('/api/v1/enrolment', { token: `kjt_${index}`, name: 'guesser', csr })
    const answers = await Promise.all(Array.from({ length: 24 }, (_, index) => guess(index)))
    expect(answers.filter(({ status }) => status === 401)).toHaveLength(4)
    expect(answers.filter(({ status }) => status === 429)).toHaveLength(20)
  })
})

describe('a rack that enrols at once from behind one address', () => {
  it('is not taken for somebody who guesses', async () => {
    const tokens = await Promise.all(Array.from({ length: 40 }, () => engine.joinToken({})))
    const answers = await Promise.all(tokens.map((token, index) => enrol({ token, name: `racked-${index}` })))
    expect(answers.filter(({ status }) => status === 200)).toHaveLength(40)
  })

  it('is not counted for tokens that are for another host, either', async () => {
    await engine.query('DELETE FROM limit_counters')
    const token = await engine.joinToken({ name: 'somebody-else' })
    expect((await enrol({ token, name: 'misnamed' })).status).toBe(403)
    expect(await engine.query('SELECT attempts FROM limit_counters')).toEqual([{ attempts: 0 }])
  })
})
