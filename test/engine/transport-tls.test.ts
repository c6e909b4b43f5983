import { randomUUID } from 'node:crypto'
import { once } from 'node:events'
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs'
import { connect as connectPlain } from 'node:net'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import { type ConnectionOptions, connect } from 'node:tls'
import { jest } from '@jest/globals'
import { newKeyAndRequest } from '../../src/agent/certificate-request.js'
import { credentialsOf, type HostIdentity, withGrant } from '../../src/agent/identity.js'
import { HostAdmission } from '../../src/engine/hosts/admission.js'
import { factsOf } from '../../src/engine/identity/certificates.js'
import { type CertificateGrant, ENGINE_NAME } from '../../src/wire/enrolment.js'
import { patterns, type Refusal } from '../../src/wire/session.js'
import { TestAuthority } from '../support/authority.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { A_SECOND } from '../support/soon.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
let other: Awaited<ReturnType<TestEngine['replica']>>
let authority: TestAuthority
const directory = mkdtempSync(join(tmpdir(), 'keelson-ca-'))
const agents: WireAgent[] = []

/** The authority is outside, so that the test can sign what the engine never would. */
beforeAll(async () => {
  authority = await TestAuthority.make()
  const [caCertFile, caKeyFile] = [join(directory, 'ca.crt'), join(directory, 'ca.key')]
  writeFileSync(caCertFile, authority.certificate)
  writeFileSync(caKeyFile, authority.pair.key)
  engine = await startTestEngine({ caCertFile, caKeyFile })
  other = await engine.replica()
})
afterEach(() => {
  for (const agent of agents.splice(0)) agent.vanish()
})
afterAll(async () => {
  await other?.stop()
  await engine?.stop()
  rmSync(directory, { recursive: true })
})

async function open(name: string): Promise<WireAgent> {
  const agent = await WireAgent.open(engine.tcp, helloOf(name))
  agents.push(agent)
  return agent
}

async function dialAs(identity: HostIdentity, at = engine.tcp, ticket?: Buffer, hello = helloOf(identity.name)) {
  const agent = await WireAgent.dialAs(identity, at, hello, ticket)
  agents.push(agent)
  return agent
}

/** What comes of a connection that says hello: how it ended, or what it was answered. */
async function met(options: ConnectionOptions): Promise<string> {
  const socket = connect({ ...options, host: engine.tcp.host, port: engine.tcp.port })
  let heard = ''
  socket
    .on('error', () => undefined)
    .on('data', (bytes) => {
      heard += String(bytes)
    })
  const hello = JSON.stringify({ pattern: patterns.open, data: helloOf('x').said, id: '1' })
  socket.write(`${hello.length}#${hello}`)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  await Promise.race([closed, eventually(() => expect(heard).not.toBe(''), { timeoutMs: 8_000 })])
  socket.destroy()
  return heard === '' ? 'closed' : heard
}

const hostOf = async (id: string) => (await engine.http.get(`/api/v1/hosts/${id}`)).body
const base = () => ({ ca: [authority.certificate], servername: ENGINE_NAME })
const goodOf = async ({ hostId }: WireAgent): Promise<number> => {
  const sql = 'SELECT serial FROM host_certificates WHERE host_id = $1 AND revoked_at IS NULL'
  return (await engine.query(sql, [hostId])).length
}
const revoke = (id: string) => engine.http.post(`/api/v1/hosts/${id}/revoke`, { reason: 'stolen' })
const insertCertificate = (identity: HostIdentity) => {
  const { serial, fingerprint, notBefore, notAfter } = factsOf(identity.certificate)
  return engine.query(
    'INSERT INTO host_certificates (serial, host_id, fingerprint, not_before, not_after) VALUES ($1, $2, $3, $4, $5)',
    [serial, identity.hostId, fingerprint, notBefore, notAfter],
  )
}

describe('the transport', () => {
  it('shows the certificate of an engine, signed by the plane’s authority, over TLS 1.3 alone', async () => {
    const { key, certificate } = await engine.tcp.identityOf('looking')
    const options = { ...base(), key, cert: certificate, host: engine.tcp.host, port: engine.tcp.port }
    const socket = connect(options)
    await once(socket, 'secureConnect')
    expect(socket.getProtocol()).toBe('TLSv1.3')
    expect(socket.getPeerX509Certificate()?.keyUsage).toEqual(['1.3.6.1.5.5.7.3.1'])
    socket.destroy()
    const older = connect({ ...options, maxVersion: 'TLSv1.2' })
    const [error] = await once(older, 'error')
    expect(String(error)).toMatch(/protocol|alert|reset/i)
  })

  it('answers nobody without a certificate, and nobody who speaks plain text', async () => {
    expect(await met(base())).toBe('closed')
    const plain = connectPlain(engine.tcp.port, engine.tcp.host)
    let heard = ''
    plain
      .on('error', () => undefined)
      .on('data', (bytes) => {
        heard += String(bytes)
      })
    plain.write('49#{"pattern":{"session":"heartbeat"},"data":{},"id":"1"}')
    await once(plain, 'close')
    expect(heard).toBe('')
  })

  it('answers nobody with a certificate of another authority, also of the same name, for a host that is known', async () => {
    const known = await engine.tcp.identityOf('known')
    const foreign = await (await TestAuthority.make()).identityOf('known', { hostId: known.hostId })
    expect(await met({ ...base(), key: foreign.key, cert: foreign.certificate })).toBe('closed')
  })

  it('answers nobody with an expired certificate, or with that of an engine', async () => {
    const { hostId } = await engine.tcp.identityOf('known')
    const expired = await authority.identityOf('known', { hostId, lifeMs: -1_000 })
    expect(await met({ ...base(), key: expired.key, cert: expired.certificate })).toBe('closed')
    const { key, certificate } = authority.engine
    expect(await met({ ...base(), key, cert: certificate })).toBe('closed')
  })

  it('refuses a certificate that the plane has not issued, however well it is signed', async () => {
    const { hostId } = await engine.tcp.identityOf('known')
    const agent = await dialAs(await authority.identityOf('known', { hostId }))
    expect(agent.refusal).toMatchObject({ code: 'certificate-unknown' })
    const stranger = await dialAs(await authority.identityOf('stranger', { hostId: randomUUID() }))
    expect(stranger.refusal).toMatchObject({ code: 'removed' })
    expect((await engine.http.get('/api/v1/hosts?name=stranger')).body.items).toEqual([])
  })

  it('takes the host from the certificate, whatever else is said', async () => {
    const agent = await open('itself')
    const victim = await open('victim')
    const said = { ...agent.again().said, name: 'victim', hostId: victim.hostId, agentId: victim.hello.said.agentId }
    const again = await dialAs(agent.identity, engine.tcp, undefined, { host: 'itself', said })
    expect(again.refusal ?? again.hostId).not.toBe(victim.hostId)
    expect(await victim.beat()).toEqual({ ok: true })
    expect((await hostOf(victim.hostId)).connected).toBe(true)
  })

  it('lets no host report, ask a permit or observe for another, nor replay what another has said', async () => {
    const [mine, thief] = [await open('mine'), await open('thief')]
    await engine.http.put(`/api/v1/hosts/${mine.hostId}/storage-connections/a`, { uri: 'local:///srv/a' })
    const manage = await mine.command(0)
    await thief.report(manage)
    await thief.report(manage, {}, mine.epoch)
    expect(await thief.permit(manage)).not.toEqual({ granted: true })
    await thief.observe([{ subject: 'storage-connection/a', generation: 1, status: 'UP' }])
    const row = async () => (await engine.http.get(`/api/v1/hosts/${mine.hostId}/storage-connections/a`)).body
    expect(await row()).toMatchObject({ provisioningStatus: 'PENDING_CREATE', operatingStatus: 'UNKNOWN' })
    await mine.report(manage)
    expect(await row()).toMatchObject({ provisioningStatus: 'ACTIVE' })
    // without an inventory: what it does not hold would be asked for anew
    const next = await WireAgent.dial(engine.tcp, mine.again())
    agents.push(next)
    const replayed = (await next.report(manage, { state: 'failed' }, mine.epoch)) as Refusal
    expect(replayed).toMatchObject({ refused: true, code: 'fenced' })
    expect(await row()).toMatchObject({ provisioningStatus: 'ACTIVE' })
  })
})

describe('a TLS session', () => {
  it('is resumed with the replica that it was begun with, and with another', async () => {
    const first = await open('resuming')
    await eventually(() => expect(first.ticket).toBeDefined())
    expect(first.socket.isSessionReused()).toBe(false)
    const second = await dialAs(first.identity, engine.tcp, first.ticket, first.again())
    expect(second.socket.isSessionReused()).toBe(true)
    expect(second.hostId).toBe(first.hostId)
    const third = await dialAs(first.identity, other.tcp, first.ticket, second.again())
    expect(third.socket.isSessionReused()).toBe(true)
    expect(third.hostId).toBe(first.hostId)
  })

  it('is refused when its certificate was revoked meanwhile, or has expired', async () => {
    const agent = await open('revoked-then-resumed')
    await eventually(() => expect(agent.ticket).toBeDefined())
    await revoke(agent.hostId)
    const resumed = await dialAs(agent.identity, other.tcp, agent.ticket, agent.again())
    expect(resumed.socket.isSessionReused()).toBe(true)
    expect(resumed.refusal).toMatchObject({ code: 'certificate-revoked' })

    const { hostId } = await engine.tcp.identityOf('short-lived')
    const brief = await authority.identityOf('short-lived', { hostId, lifeMs: 8_000 })
    await insertCertificate(brief)
    const alive = await dialAs(brief)
    expect(alive.welcome).not.toBeNull()
    await eventually(() => expect(alive.ticket).toBeDefined())
    await eventually(() => expect(Date.now()).toBeGreaterThan(factsOf(brief.certificate).notAfter.getTime() + 1_000), {
      timeoutMs: 15_000,
    })
    const late = await dialAs(brief, engine.tcp, alive.ticket, alive.again())
    expect(late.socket.isSessionReused()).toBe(true)
    expect(late.refusal).toMatchObject({ code: 'certificate-expired' })
    await eventually(async () => expect((await hostOf(hostId)).connected).toBe(false), { timeoutMs: 8_000 })
  })

  it('is shaken hands anew, once, when the ticket key was replaced', async () => {
    const agent = await open('rotated')
    await eventually(() => expect(agent.ticket).toBeDefined())
    await engine.query(`UPDATE tls_ticket_keys SET created_at = now() - interval '2 days'`)
    await engine.query(`UPDATE schedules SET next_run_at = now() WHERE name = 'identity.ticket-keys'`)
    await eventually(
      async () => {
        const again = await dialAs(agent.identity, other.tcp, agent.ticket, agent.again())
        expect(again.socket.isSessionReused()).toBe(false)
        agent.welcome = again.welcome
      },
      { timeoutMs: 10_000, intervalMs: 200 },
    )
    const anew = await dialAs(agent.identity, engine.tcp, undefined, agent.again())
    expect(anew.welcome).not.toBeNull()
  })
})

describe('a revocation', () => {
  it('ends the session within a second, on whichever replica it is, and shows the host lost', async () => {
    for (const [name, port] of [
      ['cut-here', engine.tcp],
      ['cut-there', other.tcp],
    ] as const) {
      const agent = await dialAs(await engine.tcp.identityOf(name), port)
      await agent.inventory([])
      const startedMs = performance.now()
      expect((await revoke(agent.hostId)).body).toMatchObject({ status: 'NonResponsive', connected: false })
      await eventually(() => expect(agent.goodbye).toMatchObject({ reason: 'refused' }))
      expect(performance.now() - startedMs).toBeLessThan(A_SECOND)
      expect((await dialAs(agent.identity, port)).refusal).toMatchObject({ code: 'certificate-revoked' })
      const { items } = (await engine.http.get(`/api/v1/hosts/${agent.hostId}/certificates`)).body
      expect(items).toMatchObject([{ revokedReason: 'stolen' }])
    }
  })

  it('ends a session that was resumed as well', async () => {
    const agent = await open('resumed-then-revoked')
    await eventually(() => expect(agent.ticket).toBeDefined())
    const resumed = await dialAs(agent.identity, other.tcp, agent.ticket, agent.again())
    expect(resumed.socket.isSessionReused()).toBe(true)
    await revoke(agent.hostId)
    await eventually(() => expect(resumed.goodbye).toMatchObject({ reason: 'refused' }), { timeoutMs: A_SECOND })
  })

  it('ends a session that was being let in meanwhile', async () => {
    const identity = await engine.tcp.identityOf('let-in-meanwhile')
    const { admit } = HostAdmission.prototype
    jest.spyOn(HostAdmission.prototype, 'admit').mockImplementationOnce(async function (this: HostAdmission, ...said) {
      const admission = await admit.apply(this, said)
      await revoke(identity.hostId)
      return admission
    })
    const agent = await dialAs(identity)
    await eventually(() => expect(agent.goodbye).toMatchObject({ reason: 'refused' }), { timeoutMs: A_SECOND })
  })

  it('leaves others alone, and can be said twice', async () => {
    const [agent, neighbour] = [await open('revoked-twice'), await open('neighbour')]
    expect((await revoke(agent.hostId)).status).toBe(200)
    expect((await revoke(agent.hostId)).status).toBe(200)
    expect(await neighbour.beat()).toEqual({ ok: true })
    expect((await engine.http.post(`/api/v1/hosts/${randomUUID()}/revoke`, {})).status).toBe(404)
  })

  it('is not needed for a host that was removed: it is refused as that', async () => {
    const agent = await open('removed')
    await agent.close('leaving')
    await eventually(async () => expect((await hostOf(agent.hostId)).connected).toBe(false))
    expect((await engine.http.delete(`/api/v1/hosts/${agent.hostId}`)).status).toBe(204)
    expect((await dialAs(agent.identity)).refusal).toMatchObject({ code: 'removed' })
  })
})

describe('a certificate that the database does not know', () => {
  it('is known again when the host proves that the database was put back, and not otherwise', async () => {
    const agent = await open('from-a-lost-time')
    const forget = () => engine.query('DELETE FROM host_certificates WHERE host_id = $1', [agent.hostId])
    agent.vanish()
    await eventually(async () => expect((await hostOf(agent.hostId)).connected).toBe(false))
    await forget()
    expect((await dialAs(agent.identity, engine.tcp, undefined, agent.again())).refusal).toMatchObject({
      code: 'certificate-unknown',
    })
    const seen = agent.again({ epoch: agent.epoch + 100 })
    const back = await dialAs(agent.identity, engine.tcp, undefined, seen)
    expect(back.welcome).toMatchObject({ hostId: agent.hostId })
    expect(back.welcome?.incarnation).not.toBe(agent.welcome?.incarnation)
    const { items } = (await engine.http.get(`/api/v1/hosts/${agent.hostId}/certificates`)).body
    expect(items).toHaveLength(1)
  })

  it('cannot be one that was revoked: no claim of a lost time brings that back', async () => {
    const agent = await open('revoked-and-lying')
    await revoke(agent.hostId)
    const seen = agent.again({ epoch: agent.epoch + 100 })
    const [before] = await engine.query('SELECT count(*)::int AS count FROM incarnations')
    const back = await dialAs(agent.identity, engine.tcp, undefined, seen)
    expect(back.refusal).toMatchObject({ code: 'certificate-revoked' })
    expect(await engine.query('SELECT count(*)::int AS count FROM incarnations')).toEqual([before])
  })
})

describe('a renewal', () => {
  it('gives the next certificate over the session, which stays; the earlier one stays good', async () => {
    const agent = await open('renewing')
    const { key, csr } = await newKeyAndRequest()
    const grant = await agent.call<CertificateGrant>(patterns.renew, { epoch: agent.epoch, csr })
    const renewed = withGrant(agent.identity, key, grant)
    expect(await agent.beat()).toEqual({ ok: true })
    const next = await dialAs(renewed, engine.tcp, undefined, agent.again())
    expect(next.hostId).toBe(agent.hostId)
    const last = await dialAs(agent.identity, engine.tcp, undefined, next.again())
    expect(last.hostId).toBe(agent.hostId)
    const { items } = (await engine.http.get(`/api/v1/hosts/${agent.hostId}/certificates`)).body
    expect(items).toHaveLength(2)
  })

  it('is refused without a session, and for what is no request', async () => {
    const agent = await open('asking')
    const { csr } = await newKeyAndRequest()
    expect(await agent.call(patterns.renew, { epoch: agent.epoch + 1, csr })).toMatchObject({ code: 'fenced' })
    expect(await agent.call(patterns.renew, { epoch: agent.epoch, csr: 'x' })).toMatchObject({ code: 'csr-refused' })
    expect(await agent.call(patterns.renew, { epoch: agent.epoch })).toMatchObject({ code: 'bad-message' })
  })

  it('is refused to who was shut out, though the session has not ended yet', async () => {
    const agent = await open('shut-out')
    const { csr } = await newKeyAndRequest()
    await engine.query('UPDATE host_certificates SET revoked_at = now() WHERE host_id = $1', [agent.hostId])
    expect(await agent.call(patterns.renew, { epoch: agent.epoch, csr })).toMatchObject({ code: 'forbidden' })
    expect(await goodOf(agent)).toBe(0)
  })

  it('that comes together with a revocation leaves no certificate that is good', async () => {
    const agent = await open('racing')
    const { csr } = await newKeyAndRequest()
    const ask = () => agent.call(patterns.renew, { epoch: agent.epoch, csr }).catch(() => null)
    const asked = Array.from({ length: 12 }, ask)
    await Promise.all([...asked.slice(0, 4), revoke(agent.hostId), ...asked.slice(4)])
    expect(await goodOf(agent)).toBe(0)
  })

  it('is refused to a host that asks without end', async () => {
    const agent = await open('greedy')
    const { csr } = await newKeyAndRequest()
    const answers: { code?: string }[] = []
    for (let n = 0; n < 17; n += 1) answers.push(await agent.call(patterns.renew, { epoch: agent.epoch, csr }))
    expect(answers.at(-1)).toMatchObject({ refused: true, code: 'too-many-requests' })
    expect(credentialsOf(agent.identity).servername).toBe(ENGINE_NAME)
  })
})
