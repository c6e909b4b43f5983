import 'reflect-metadata'
import { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { type RequestOptions, request } from 'node:https'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { joinPlane } from '../../src/agent/join.js'
import { makeEngineCertificate } from '../../src/engine/identity/certificates.js'
import { requireSafe } from '../../src/engine/rest-tls.js'
import { ENGINE_NAME } from '../../src/wire/enrolment.js'
import { readJoinToken, writeJoinToken } from '../../src/wire/join-token.js'
import { TestAuthority } from '../support/authority.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { makePerson, PASSWORD } from '../support/people.js'

let engine: TestEngine
let directory: string
const everywhere = { host: '0.0.0.0', port: 0 }
const stops: (() => Promise<void>)[] = []

beforeAll(async () => {
  engine = await startTestEngine()
  directory = mkdtempSync(join(tmpdir(), 'keelson-tls-'))
})
afterEach(async () => {
  for (const stop of stops.splice(0)) await stop()
})
afterAll(async () => {
  await engine?.stop()
  rmSync(directory, { recursive: true, force: true })
})

async function replica(...args: Parameters<TestEngine['replica']>): Promise<number> {
  const other = await engine.replica(...args)
  stops.push(() => other.stop())
  expect(other.url).toMatch(/^https:/)
  return Number(new URL(other.url).port)
}

interface Reply {
  readonly status?: number
  readonly headers: Record<string, unknown>
}

const insecure = { rejectUnauthorized: false }

const get = (port: number, tls: ConnectionOptions, path = '/health/live', headers = {}): Promise<Reply> =>
  ask({ ...tls, host: '127.0.0.1', port, path, headers })

function signIn(port: number, name: string): Promise<Reply> {
  const headers = { 'content-type': 'application/json' }
  const options = { ...insecure, host: '127.0.0.1', port, path: '/api/v1/session', method: 'POST', headers }
  return ask(options, JSON.stringify({ name, password: PASSWORD }))
}

function ask(options: RequestOptions, body?: string): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const call = request({ ...options, agent: false }, (reply) => {
      reply.resume()
      resolve({ status: reply.statusCode, headers: reply.headers })
    })
    call.on('error', reject).end(body)
  })
}

async function shown(port: number): Promise<X509Certificate> {
  const socket = connect({ host: '127.0.0.1', port, rejectUnauthorized: false })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  return certificate!
}

async function given(name: string) {
  const authority = await TestAuthority.make()
  const { key, certificate } = await makeEngineCertificate(authority.signer, { names: [name], lifeMs: 3_600_000 })
  const [tlsCertFile, tlsKeyFile] = [join(directory, 'tls.crt'), join(directory, 'tls.key')]
  writeFileSync(tlsKeyFile, key)
  writeFileSync(tlsCertFile, certificate)
  return { authority, tlsCertFile, tlsKeyFile }
}

describe('REST beyond the loopback', () => {
  it('speaks TLS with a certificate of the plane’s own authority, and says nothing of coming days', async () => {
    const port = await replica({ http: everywhere })
    const [row] = await engine.query('SELECT certificate FROM certificate_authorities')
    const reply = await get(port, { ca: row?.certificate, servername: ENGINE_NAME })
    expect(reply.status).toBe(200)
    expect(reply.headers).not.toHaveProperty('strict-transport-security')
    const certificate = await shown(port)
    expect(certificate.checkIP('127.0.0.1')).toBe('127.0.0.1')
    expect(certificate.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
  })

  it('signs in with a cookie that is of this very host, over TLS alone, and heeds no other', async () => {
    const { name } = await makePerson(engine)
    const port = await replica({ http: everywhere })
    const signedIn = await signIn(port, name)
    const [cookie = ''] = signedIn.headers['set-cookie'] as string[]
    expect(cookie).toMatch(/^__Host-keelson_session=kss_\w{32}_[\w-]{43}; Path=\/; HttpOnly; SameSite=Strict; Secure$/)
    const [own = ''] = cookie.split(';')
    const whoAmI = async (shown: string) => (await get(port, insecure, '/api/v1/session', { cookie: shown })).status
    expect(await whoAmI(own)).toBe(200)
    // as a neighbour under the same domain could plant it
    expect(await whoAmI(own.replace('__Host-', ''))).toBe(401)
  })

  it('speaks no older TLS than 1.2, and no plain HTTP', async () => {
    const port = await replica({ http: everywhere })
    await expect(
      get(port, { rejectUnauthorized: false, minVersion: 'TLSv1.1', maxVersion: 'TLSv1.1' }),
    ).rejects.toThrow()
    expect((await get(port, { rejectUnauthorized: false, maxVersion: 'TLSv1.2' })).status).toBe(200)
    const socket = connectPlain(port, '127.0.0.1')
    let heard = ''
    const closed = new Promise((resolve) => socket.on('error', () => undefined).on('close', resolve))
    socket.on('data', (bytes) => {
      heard += String(bytes)
    })
    socket.write('GET /health/live HTTP/1.1\r\nhost: x\r\n\r\n')
    await closed
    expect(heard).toBe('')
  })

  it('is not served without TLS', () => {
    const files = { tlsCertFile: null, tlsKeyFile: null }
    const at = (host: string) => ({ http: { host, port: 1 } })
    for (const host of ['0.0.0.0', '10.0.0.1', '::', 'example.org'])
      expect(() => requireSafe({ ...at(host), tls: 'off', ...files })).toThrow(/loopback/)
    for (const host of ['127.0.0.1', '127.8.8.8', '::1', 'localhost'])
      expect(() => requireSafe({ ...at(host), tls: 'off', ...files })).not.toThrow()
    const one = { tlsCertFile: 'x', tlsKeyFile: null }
    expect(() => requireSafe({ ...at('127.0.0.1'), tls: 'auto', ...one })).toThrow(/go together/)
  })
})

describe('a given certificate', () => {
  it('is shown, also on the loopback, with HSTS; hosts that join know it by their token', async () => {
    const { authority, ...files } = await given('plane.example')
    const port = await replica(files)
    const reply = await get(port, { ca: authority.certificate, servername: 'plane.example' })
    expect(reply).toMatchObject({ status: 200, headers: { 'strict-transport-security': 'max-age=31536000' } })

    const token = readJoinToken(await engine.joinToken({}))!
    const fingerprint = (await shown(port)).fingerprint256.replaceAll(':', '').toLowerCase()
    const rest = [`https://127.0.0.1:${port}`]
    const join_ = (restCertificate: string, name: string) => {
      const text = writeJoinToken({ ...token, rest, restCertificate })
      return joinPlane({ name, stateDir: join(directory, name) }, text, { force: false })
    }
    await expect(join_('ab'.repeat(32), 'misled')).rejects.toMatchObject({ exitCode: 78 })
    expect(await join_(fingerprint, 'by-given')).toMatchObject({ name: 'by-given' })
  })

  it('is read again when its file changes', async () => {
    const first = await given('first.example')
    const port = await replica({ tlsCertFile: first.tlsCertFile, tlsKeyFile: first.tlsKeyFile })
    expect((await shown(port)).subjectAltName).toContain('first.example')
    await given('second.example')
    await eventually(async () => expect((await shown(port)).subjectAltName).toContain('second.example'), {
      timeoutMs: 25_000,
      intervalMs: 250,
    })
  })

  it('that is none ends the start with 78', async () => {
    const { tlsKeyFile } = await given('x.example')
    const wrong = join(directory, 'wrong.crt')
    writeFileSync(wrong, 'nonsense')
    await expect(engine.replica({ tlsCertFile: wrong, tlsKeyFile })).rejects.toMatchObject({ exitCode: 78 })
    await expect(engine.replica({ tlsCertFile: '/no/such', tlsKeyFile })).rejects.toMatchObject({ exitCode: 78 })
  })
})
