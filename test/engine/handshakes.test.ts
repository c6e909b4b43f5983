import 'reflect-metadata'
import { once } from 'node:events'
import { connect, createServer, type Socket } from 'node:net'
import { connect as connectTls } from 'node:tls'
import { credentialsOf } from '../../src/agent/identity.js'
import { type HandshakeLimits, Handshakes } from '../../src/engine/sessions/handshakes.js'
import { MessageRate } from '../../src/engine/sessions/message-rate.js'
import { SessionServer } from '../../src/engine/sessions/session-server.js'
import { testAuthority } from '../support/authority.js'
import { eventually } from '../support/eventually.js'
import { A_SECOND } from '../support/soon.js'

const open: (Socket | { close(): void })[] = []
afterEach(() => {
  for (const one of open.splice(0).reverse()) 'destroy' in one ? one.destroy() : one.close()
})

async function serve(handshakes: Partial<HandshakeLimits>, openWithinMs = 5_000): Promise<number> {
  return (await server(handshakes, openWithinMs)).address.port
}

async function server(handshakes: Partial<HandshakeLimits>, openWithinMs = 5_000): Promise<SessionServer> {
  const { serverTls } = await testAuthority()
  const tls = { ...serverTls, rejectUnauthorized: true }
  const server = new SessionServer({ host: '127.0.0.1', port: 0, tls, handshakes, openWithinMs })
  await new Promise<void>((resolve) => server.listen(() => resolve()))
  open.push(server)
  return server
}

function dial(port: number): Socket & { over: boolean } {
  const socket = Object.assign(connect(port, '127.0.0.1'), { over: false })
  socket
    .on('error', () => undefined)
    .on('close', () => {
      socket.over = true
    })
  socket.resume()
  open.push(socket)
  return socket
}

async function dialSecure(port: number) {
  const identity = await (await testAuthority()).identityOf('h')
  const socket = connectTls({ ...credentialsOf(identity), port, host: '127.0.0.1' })
  socket.on('error', () => undefined)
  open.push(socket)
  return socket
}

/** What a client of TLS says first. */
async function clientHello(): Promise<Buffer> {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  const heard = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => socket.once('data', resolve))
  })
  await dialSecure((server.address() as { port: number }).port)
  return heard
}

it('a connection that says nothing is over after its time, and the oldest of too many at once', async () => {
  const patient = await serve({ withinMs: 60_000, maxSilent: 3 })
  const peers = [dial(patient), dial(patient), dial(patient), dial(patient)]
  await eventually(() => expect(peers.map(({ over }) => over)).toEqual([true, false, false, false]))
  const silent = dial(await serve({ withinMs: 100 }))
  await eventually(() => expect(silent.over).toBe(true), { timeoutMs: A_SECOND })
})

it.each(['GET / HTTP/1.1\r\n\r\n', '9#{"pattern', Buffer.alloc(40_000, 0x16)])(
  'what is no TLS is over at once',
  async (bytes) => {
    const peer = dial(await serve({ withinMs: 60_000 }))
    peer.write(bytes)
    await eventually(() => expect(peer.over).toBe(true))
  },
)

it('a handshake that is not gone on with is over after its time', async () => {
  const peer = dial(await serve({ withinMs: 300 }))
  peer.write(await clientHello())
  await eventually(() => expect(peer.over).toBe(true), { timeoutMs: A_SECOND })
})

it('hosts get in while all places are taken by handshakes that dawdle', async () => {
  const port = await serve({ atOnce: 2, withinMs: 60_000 })
  const hello = await clientHello()
  for (let n = 0; n < 6; n += 1) dial(port).write(hello)
  const startedMs = performance.now()
  const host = await dialSecure(port)
  await once(host, 'secureConnect')
  expect(performance.now() - startedMs).toBeLessThan(10_000)
})

it('many at once wait for one another, and all get in', async () => {
  const port = await serve({ atOnce: 2 })
  const hosts = await Promise.all(Array.from({ length: 30 }, () => dialSecure(port)))
  await Promise.all(hosts.map((host) => once(host, 'secureConnect')))
})

it('nobody begins a handshake while those inside wait to be let in, and all do afterwards', async () => {
  const crowding = { now: true }
  const engine = await server({})
  engine.holdBackWhile(() => crowding.now)
  const hosts = await Promise.all(Array.from({ length: 10 }, () => dialSecure(engine.address.port)))
  const secured = Promise.all(hosts.map((host) => once(host, 'secureConnect')))
  await eventually(() => expect(engine.waiting).toBe(10))
  expect(engine.secured).toEqual({ full: 0, resumed: 0 })
  crowding.now = false
  engine.proceed()
  await secured
  await eventually(() => expect(engine.secured).toEqual({ full: 10, resumed: 0 }))
  expect(engine.waiting).toBe(0)
})

it('who has waited for too long is sent away, and costs no handshake', async () => {
  const crowding = { now: true }
  const engine = await server({ waitMs: 300 })
  engine.holdBackWhile(() => crowding.now)
  const late = await dialSecure(engine.address.port)
  await new Promise((resolve) => late.once('close', resolve))
  crowding.now = false
  await once(await dialSecure(engine.address.port), 'secureConnect')
  await eventually(() => expect(engine.secured).toEqual({ full: 1, resumed: 0 }))
})

it('a host that says no hello is over after its time', async () => {
  const host = await dialSecure(await serve({}, 300))
  await once(host, 'secureConnect')
  const startedMs = performance.now()
  await once(host, 'close')
  expect(performance.now() - startedMs).toBeLessThan(A_SECOND)
})

it('who sends faster than the rate is read later, and loses nothing', async () => {
  const server = createServer().listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  let messages = 0
  server.on('connection', (socket) => {
    const rate = new MessageRate(socket)
    socket.on('data', (bytes) => {
      for (const _ of bytes) {
        messages += 1
        rate.count(1_000)
      }
    })
  })
  const startedMs = performance.now()
  const peer = dial((server.address() as { port: number }).port)
  for (let n = 0; n < 30; n += 1) {
    peer.write('x'.repeat(100))
    await new Promise((resolve) => setImmediate(resolve))
  }
  await eventually(() => expect(messages).toBe(3_000), { timeoutMs: 30_000 })
  // a second's worth is let pass at first
  expect(performance.now() - startedMs).toBeGreaterThan(500)
})

it('handshakes that come all at once begin one after the other: who is inside is answered meanwhile', async () => {
  const begun: number[] = []
  const handshakes = new Handshakes(() => begun.push(performance.now()), { perSecond: 50 })
  const server = createServer((socket) => handshakes.arrived(socket)).listen(0, '127.0.0.1')
  await once(server, 'listening')
  open.push(server)
  const { port } = server.address() as { port: number }
  for (let n = 0; n < 24; n += 1) dial(port).write(Buffer.from([0x16, 0x03, 0x01]))
  await eventually(() => expect(begun).toHaveLength(24))
  // but for the first few, 20 ms each
  expect(Math.max(...begun) - Math.min(...begun)).toBeGreaterThan(300)
})
