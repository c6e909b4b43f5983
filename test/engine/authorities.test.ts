import 'reflect-metadata'
import { generateKeyPairSync, X509Certificate } from 'node:crypto'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { newKeyAndRequest } from '../../src/agent/certificate-request.js'
import type { CertificateGrant, Enrolled } from '../../src/wire/enrolment.js'
import { readJoinToken } from '../../src/wire/join-token.js'
import { patterns } from '../../src/wire/session.js'
import { TestAuthority } from '../support/authority.js'
import { SEALING_KEY, startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { http } from '../support/http.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const directory = mkdtempSync(join(tmpdir(), 'keelson-authority-'))
/** Far below the minute after which a replica looks by itself. */
const SOON_MS = 5_000
const stops: (() => Promise<void>)[] = []

afterEach(async () => {
  for (const stop of stops.splice(0).reverse()) await stop()
})
afterAll(() => rmSync(directory, { recursive: true }))

async function engineWith(...args: Parameters<typeof startTestEngine>): Promise<TestEngine> {
  const engine = await startTestEngine(...args)
  stops.push(() => engine.stop())
  return engine
}

function filesOf(name: string, certificates: readonly string[], key: string) {
  const [caCertFile, caKeyFile] = [join(directory, `${name}.crt`), join(directory, `${name}.key`)]
  writeFileSync(caCertFile, certificates.join('\n'))
  writeFileSync(caKeyFile, key)
  return { caCertFile, caKeyFile }
}

const signerOf = (pem: string, authority: TestAuthority) => pem.trim() === authority.certificate.trim()

describe('the plane’s own authority', () => {
  it('is made once, however many replicas start together', async () => {
    const engine = await engineWith()
    await engine.query('DELETE FROM certificate_authorities')
    const replicas = await Promise.all([engine.replica(), engine.replica(), engine.replica()])
    stops.push(async () => {
      for (const replica of replicas) await replica.stop()
    })
    expect(await engine.query('SELECT fingerprint FROM certificate_authorities')).toHaveLength(1)
  })

  it('keeps its key sealed', async () => {
    const engine = await engineWith()
    const client = new pg.Client({ connectionString: engine.databaseUrl })
    await client.connect()
    const { rows } = await client.query('SELECT sealed_key, certificate FROM certificate_authorities')
    const { rows: tickets } = await client.query('SELECT sealed FROM tls_ticket_keys')
    await client.end()
    for (const sealed of [rows[0].sealed_key, tickets[0].sealed]) expect(sealed).toMatch(/^sealed:1:[0-9a-f]{16}:/)
    expect(JSON.stringify([rows, tickets])).not.toMatch(/PRIVATE KEY/)
    expect(JSON.stringify([rows, tickets])).not.toContain(SEALING_KEY)
  })

  it('is joined by a next one when a replica starts in its last year, by which running ones sign from then on', async () => {
    const engine = await engineWith()
    const staying = await WireAgent.open(engine.tcp, helloOf('staying'))
    const [first] = await engine.query('SELECT fingerprint FROM certificate_authorities')
    await engine.query(`UPDATE certificate_authorities SET not_after = now() + interval '300 days'`)
    const other = await engine.replica()
    stops.push(() => other.stop())
    const [next] = await engine.query('SELECT certificate FROM certificate_authorities WHERE fingerprint <> $1', [
      first?.fingerprint,
    ])
    const { publicKey } = new X509Certificate(next?.certificate)
    await eventually(
      async () => {
        const { csr } = await newKeyAndRequest()
        const grant = await staying.call<CertificateGrant>(patterns.renew, { epoch: staying.epoch, csr })
        expect(new X509Certificate(grant.certificate).verify(publicKey)).toBe(true)
        expect(grant.authorities).toHaveLength(2)
      },
      { timeoutMs: SOON_MS, intervalMs: 300 },
    )
    // who knows the first alone gets in as before
    for (const { tcp } of [engine, other]) {
      const again = await WireAgent.dialAs(staying.identity, tcp, staying.again({ epoch: staying.epoch + 2 }))
      expect(again.welcome).not.toBeNull()
      again.vanish()
    }
    staying.vanish()
  })

  it('outlives a restart, and so do the sessions of its hosts', async () => {
    const engine = await engineWith()
    const agent = await WireAgent.open(engine.tcp, helloOf('staying'))
    await engine.stopReplica()
    await engine.restart()
    const again = await WireAgent.open(engine.tcp, agent.again())
    expect(again.hostId).toBe(agent.hostId)
    again.vanish()
  })
})

describe('an outside authority', () => {
  it('signs for hosts in the place of the plane’s own, which stays trusted: no host is shut out', async () => {
    const engine = await engineWith()
    const before = await WireAgent.open(engine.tcp, helloOf('before'))
    await engine.stopReplica()
    const outside = await TestAuthority.make()
    const other = await engine.replica(filesOf('outside', [outside.certificate], outside.pair.key))
    stops.push(() => other.stop())
    const back = await WireAgent.dialAs(before.identity, other.tcp, before.again())
    expect(back.welcome).not.toBeNull()
    back.vanish()
    const trusted = await engine.query('SELECT sealed_key FROM certificate_authorities ORDER BY created_at')
    expect(trusted.map((row) => row.sealed_key === null)).toEqual([false, true])
    // who knows the earlier one alone is shown a certificate of that one; new hosts are given both
    const renewed = await WireAgent.dialAs(before.identity, other.tcp, back.again())
    const { csr } = await newKeyAndRequest()
    const grant = await renewed.call<{ authorities: string[] }>({ certificate: 'renew' }, { epoch: renewed.epoch, csr })
    expect(grant.authorities).toHaveLength(2)
    expect(signerOf(grant.authorities[0] ?? '', outside)).toBe(true)
    renewed.vanish()
  })

  it('is known to running replicas at once, with all that its file trusts: its hosts get in, and no session ends', async () => {
    const engine = await engineWith()
    const staying = await WireAgent.open(engine.tcp, helloOf('staying'))
    const [outside, trusted] = [await TestAuthority.make(), await TestAuthority.make()]
    const certificates = [outside.certificate, trusted.certificate]
    const other = await engine.replica(filesOf('added', certificates, outside.pair.key))
    stops.push(() => other.stop())
    const { key, csr } = await newKeyAndRequest()
    const body = { token: await engine.joinToken(), name: 'of-the-other', csr }
    const enrolled: Enrolled = (await http(other.url).post('/api/v1/enrolment', body)).body
    expect(new X509Certificate(enrolled.certificate).verify(new X509Certificate(outside.certificate).publicKey)).toBe(
      true,
    )
    const identity = { ...enrolled, key, obtainedAt: new Date().toISOString() }
    await eventually(
      async () => {
        const agent = await WireAgent.dialAs(identity, engine.tcp, helloOf('of-the-other'))
        agent.vanish()
        expect(agent.welcome).toMatchObject({ hostId: enrolled.hostId })
      },
      { timeoutMs: SOON_MS },
    )
    const strangers = await trusted.identityOf('of-the-second', { hostId: enrolled.hostId })
    const known = { ...strangers, authorities: enrolled.authorities }
    const agent = await WireAgent.dialAs(known, engine.tcp, helloOf('of-the-second'))
    expect(agent.refusal).toMatchObject({ code: 'certificate-unknown' })
    expect(readJoinToken(await engine.joinToken())?.authorities).toHaveLength(3)
    expect(await staying.beat()).toEqual({ ok: true })
    expect(staying.streamEnded).toBe(false)
    for (const one of [agent, staying]) one.vanish()
  })

  it('may be named beside a second one that is trusted as well', async () => {
    const [first, second] = [await TestAuthority.make(), await TestAuthority.make()]
    const engine = await engineWith(filesOf('two', [first.certificate, second.certificate], first.pair.key))
    const token = readJoinToken(await engine.joinToken())
    expect(token?.authorities).toEqual([first.fingerprint, second.fingerprint])
    const { hostId } = await engine.tcp.identityOf('mixed')
    const bySecond = await second.identityOf('mixed', { hostId })
    const known = { ...bySecond, authorities: [first.certificate] }
    // let through by TLS; that it was never issued is the plane's to say
    const agent = await WireAgent.dialAs(known, engine.tcp, helloOf('mixed'))
    await eventually(() => expect(agent.refusal).toMatchObject({ code: 'certificate-unknown' }))
    agent.vanish()
  })

  it('cannot be left out by a replica, nor have a key that is not its own, or of another kind', async () => {
    const authority = await TestAuthority.make()
    const engine = await engineWith(filesOf('needed', [authority.certificate], authority.pair.key))
    await expect(engine.replica({ caCertFile: null, caKeyFile: null })).rejects.toMatchObject({
      exitCode: 78,
      message: expect.stringMatching(/KEELSON_CA_CERT_FILE/),
    })
    const rsa = generateKeyPairSync('rsa', { modulusLength: 2048 }).privateKey
    const other = await TestAuthority.make()
    const wrong = [
      filesOf('other-key', [authority.certificate], other.pair.key),
      filesOf('rsa', [authority.certificate], rsa.export({ type: 'pkcs8', format: 'pem' }).toString()),
      filesOf('no-authority', [authority.engine.certificate], authority.engine.key),
      filesOf('nothing', [], authority.pair.key),
      { caCertFile: '/no/such', caKeyFile: '/no/such' },
    ]
    for (const files of wrong) await expect(engine.replica(files)).rejects.toMatchObject({ exitCode: 78 })
  })
})
