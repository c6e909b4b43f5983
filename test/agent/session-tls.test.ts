import 'reflect-metadata'
import { readFile } from 'node:fs/promises'
import type { TLSSocket } from 'node:tls'
import { identityPath, readIdentity, writeIdentity } from '../../src/agent/identity.js'
import { readAgentStatus } from '../../src/agent/status.js'
import { TestAuthority, testAuthority } from '../support/authority.js'
import { eventually } from '../support/eventually.js'
import { agentForTest, configFor, engineForTest } from './support/agent.js'

const sessionReused = (socket: unknown) => (socket as TLSSocket).isSessionReused()

describe('an agent that dials', () => {
  it('has no session with an engine of another authority, and tells it nothing', async () => {
    const foreign = await TestAuthority.make()
    const engine = await engineForTest({ tls: foreign.serverTls })
    const config = await configFor(engine)
    await agentForTest(config)
    await eventually(async () =>
      expect((await readAgentStatus(config.stateDir)).session?.lastEnd).toMatch(
        /^unreachable: .*(issuer|certificate|self)/,
      ),
    )
    expect(engine.hellos).toEqual([])
  })

  it('takes no host for an engine, though the plane has signed its certificate', async () => {
    const host = await (await testAuthority()).identityOf('pretender')
    const engine = await engineForTest({ tls: { key: host.key, cert: host.certificate } })
    const config = await configFor(engine)
    await agentForTest(config)
    await eventually(async () =>
      expect((await readAgentStatus(config.stateDir)).session?.lastEnd).toMatch(
        /^unreachable: .*(purpose|certificate)/,
      ),
    )
    expect(engine.hellos).toEqual([])
  })

  it('resumes its TLS session when it comes back', async () => {
    const engine = await engineForTest()
    await agentForTest(await configFor(engine))
    await eventually(() => expect(engine.session.ready).toBe(true))
    expect(sessionReused(engine.session.socket)).toBe(false)
    engine.dropConnections()
    await eventually(() => expect(engine.sessions).toHaveLength(2))
    expect(sessionReused(engine.session.socket)).toBe(true)
  })
})

/** A certificate with two thirds of its life behind it, and far from its end on a machine of any speed. */
const DUE = { agoMs: 80_000, lifeMs: 30_000 }

describe('a certificate', () => {
  it('is not renewed while it is young', async () => {
    const engine = await engineForTest()
    const config = await configFor(engine)
    // due by now if half of its life were enough
    await writeIdentity(
      config.stateDir,
      await (await testAuthority()).identityOf('h1', { agoMs: 60_000, lifeMs: 59_900 }),
    )
    await agentForTest(config)
    await eventually(() => expect(engine.session.ready).toBe(true))
    await eventually(() => expect(engine.heartbeats).toBeGreaterThan(3))
    expect(engine.renewals).toEqual([])
  })

  it('is renewed when two thirds of its life are over, while the session stays, and used from the next connection on', async () => {
    const engine = await engineForTest()
    const config = await configFor(engine)
    const brief = await (await testAuthority()).identityOf('h1', DUE)
    await writeIdentity(config.stateDir, brief)
    await agentForTest(config)
    await eventually(() => expect(engine.session.ready).toBe(true))
    await eventually(() => expect(engine.renewals).toHaveLength(1), { timeoutMs: 10_000 })
    const renewed = await eventually(async () => {
      const identity = await readIdentity(config.stateDir)
      expect(identity?.certificate).not.toBe(brief.certificate)
      return identity
    })
    expect(renewed?.key).not.toBe(brief.key)
    expect(renewed?.hostId).toBe(brief.hostId)
    expect(engine.renewals[0]).not.toContain('PRIVATE')
    expect(engine.sessions).toHaveLength(1)
    engine.dropConnections()
    await eventually(() => expect(engine.sessions).toHaveLength(2))
    // another certificate is not shown by resuming a session of the one before
    expect(sessionReused(engine.session.socket)).toBe(false)
    expect(engine.session.hostId).toBe(brief.hostId)
    expect(await readFile(identityPath(config.stateDir), 'utf8')).toContain(renewed?.hostId)
  })

  it('of another host, or of another key, is not taken', async () => {
    const engine = await engineForTest()
    const config = await configFor(engine)
    const authority = await testAuthority()
    const brief = await authority.identityOf('h1', DUE)
    await writeIdentity(config.stateDir, brief)
    engine.grant = async () => (await authority.identityOf('h1', { hostId: brief.hostId })).certificate
    await agentForTest(config)
    await eventually(() => expect(engine.renewals.length).toBeGreaterThanOrEqual(2), { timeoutMs: 10_000 })
    expect(await readIdentity(config.stateDir)).toEqual(brief)
  })
})
