import 'reflect-metadata'
import type { X509Certificate } from 'node:crypto'
import { once } from 'node:events'
import { Agent, request } from 'node:https'
import { connect } from 'node:tls'
import { jest } from '@jest/globals'
import { credentialsOf, type HostIdentity } from '../../src/agent/identity.js'
import { Authorities } from '../../src/engine/identity/authorities.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

const DAY_MS = 86_400_000
const MINUTE_MS = 60_000
type Replica = Awaited<ReturnType<TestEngine['replica']>>

let engine: TestEngine
let replica: Replica
let identity: HostIdentity
let passMinute: () => void

/** A replica that has run for twenty days: its certificate of thirty has lived for more than half. */
beforeAll(async () => {
  engine = await startTestEngine()
  identity = await engine.tcp.identityOf('steady')
  const aged = await inThePast(20 * DAY_MS, () => engine.replica({ http: { host: '0.0.0.0', port: 0 } }))
  replica = aged.made
  passMinute = aged.passMinute
})
afterAll(async () => {
  await replica?.stop()
  await engine?.stop()
})

/** What `make` does every minute is done when the test says that one has passed. */
async function inThePast<T>(agoMs: number, make: () => Promise<T>): Promise<{ made: T; passMinute: () => void }> {
  const everyMinute: (() => void)[] = []
  const { now } = Date
  const repeat = setInterval
  const clock = jest.spyOn(Date, 'now').mockImplementation(() => now() - agoMs)
  const timers = jest.spyOn(globalThis, 'setInterval').mockImplementation((run: () => void, ms?: number) => {
    if (ms === MINUTE_MS) everyMinute.push(run)
    return repeat(run, ms)
  })
  try {
    const made = await make()
    return {
      made,
      passMinute: () => {
        for (const run of everyMinute) run()
      },
    }
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

    passMinute()
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
    const looked = jest.spyOn(Authorities.prototype, 'reload')
    try {
      const { serialNumber } = await shown(young.made.tcp.port)
      for (let minute = 0; minute < 3; minute += 1) young.passMinute()
      // each begins when the one before it has ended
      await eventually(() => expect(looked).toHaveBeenCalledTimes(3))
      expect((await shown(young.made.tcp.port)).serialNumber).toBe(serialNumber)
    } finally {
      looked.mockRestore()
      await young.made.stop()
    }
  })
})
