import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { connect } from 'node:tls'
import { jest } from '@jest/globals'
import { credentialsOf, type HostIdentity } from '../../src/agent/identity.js'
import { EngineCertificate } from '../../src/engine/identity/engine-certificate.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
type Replica = Awaited<ReturnType<TestEngine['replica']>>

const LooksAfter = EngineCertificate.prototype as unknown as { renewWhenDue(): Promise<void> }

let engine: TestEngine
let replica: Replica
let identity: HostIdentity
let passMinutes: (count: number) => void

/** A replica that has run for twenty days: its certificate of thirty has lived for more than half. */
beforeAll(async () => {
  engine = await startTestEngine()
  identity = await engine.tcp.identityOf('steady')
  const aged = await inThePast(20 * DAY_MS, () => engine.replica({ http: { host: '0.0.0.0', port: 0 } }))
  replica = aged.made
  passMinutes = aged.passMinutes
})
afterEach(() => jest.restoreAllMocks())
afterAll(async () => {
  await replica?.stop()
  await engine?.stop()
})

/**
 * What `make` does every minute is done when the test says that minutes have passed. Until then nobody looks after the
 * certificate: whoever hears of another authority looks as well, and the past is over soon.
 */
async function inThePast<T>(agoMs: number, make: () => Promise<T>) {
  const everyMinute: (() => void)[] = []
  const { now } = Date
  const { renewWhenDue } = LooksAfter
  const repeat = setInterval
  const looks = jest.spyOn(LooksAfter, 'renewWhenDue').mockResolvedValue()
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() - agoMs)
  const timers = jest.spyOn(globalThis, 'setInterval').mockImplementation((run: () => void, ms?: number) => {
    if (ms === MINUTE_MS) everyMinute.push(run)
    return repeat(run, ms)
  })
  const passMinutes = (count: number) => {
    looks.mockReset().mockImplementation(renewWhenDue)
    for (let minute = 0; minute < count; minute += 1) for (const run of everyMinute) run()
  }
  try {
    return { made: await make(), looks, passMinutes }
  } finally {
    clock.mockRestore()
    timers.mockRestore()
  }
}

const restPort = () => Number(new URL(replica.url).port)

/** What a port shows to who dials it now. */
async function shown(port: number): Promise<X509Certificate> {
  const socket = connect({ ...credentialsOf(identity), host: '127.0.0.1', port })
  await once(socket, 'secureConnect')
  const certificate = socket.getPeerX509Certificate()
  socket.destroy()
  if (!certificate) throw new Error('no certificate was shown')
  return certificate
}

const daysLeft = ({ validTo }: X509Certificate): number => (Date.parse(validTo) - Date.now()) / DAY_MS

/** Over the connection that `agent` keeps. */
function askAlive(agent: Agent): Promise<{ status: number | undefined; port: number | undefined }> {
  const { ca, servername } = credentialsOf(identity)
  return new Promise((resolve, reject) => {
    const options = { agent, ca, servername, host: '127.0.0.1', port: restPort(), path: '/health/live' }
    const call = request(options, (reply) => {
      const port = reply.socket.localPort
      reply.resume().on('end', () => resolve({ status: reply.statusCode, port }))
    })
    call.on('error', reject).end()
  })
}

describe('the certificate of a running replica', () => {
  it('is made anew long before it ends, on the port of the agents and for REST, and no connection is dropped', async () => {
    const ports = [replica.tcp.port, restPort()]
    for (const port of ports) expect(daysLeft(await shown(port))).toBeCloseTo(10, 0)
    const session = await WireAgent.dialAs(identity, replica.tcp, helloOf('steady'))
    await session.inventory([])
    const kept = new Agent({ keepAlive: true, maxSockets: 1 })
    const before = await askAlive(kept)
    expect(before.status).toBe(200)

    passMinutes(1)
    for (const port of ports) await eventually(async () => expect(daysLeft(await shown(port))).toBeCloseTo(30, 0))

    expect(await session.beat()).toEqual({ ok: true })
    await engine.http.put(`/api/v1/hosts/${session.hostId}/storage-connections/a`, { uri: 'local:///srv/a' })
    await session.report(await session.command())
    const row = async () => (await engine.http.get(`/api/v1/hosts/${session.hostId}/storage-connections/a`)).body
    expect(await row()).toMatchObject({ provisioningStatus: 'ACTIVE' })
    expect(session.streamEnded).toBe(false)
    expect(await askAlive(kept)).toEqual(before)
    const again = await WireAgent.dialAs(identity, replica.tcp, session.again(), session.ticket)
    expect(again.welcome).toMatchObject({ hostId: session.hostId })
    kept.destroy()
    for (const agent of [session, again]) agent.vanish()
  })

  it('stays as it is while it is young', async () => {
    const young = await inThePast(0, () => engine.replica())
    try {
      const { serialNumber } = await shown(young.made.tcp.port)
      young.passMinutes(3)
      await eventually(() => expect(young.looks.mock.calls.length).toBeGreaterThanOrEqual(3))
      await Promise.all(young.looks.mock.results.map(({ value }) => value))
      expect((await shown(young.made.tcp.port)).serialNumber).toBe(serialNumber)
    } finally {
      await young.made.stop()
    }
  })
})
