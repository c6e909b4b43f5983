import { connect, type Socket } from 'node:net'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { secureSocket } from '../support/secure-socket.js'
import { SseReader } from '../support/sse.js'
import { helloOf, WireAgent } from '../support/wire-agent.js'

let engine: TestEngine
const lines: { level: string; msg: string }[] = []

beforeAll(async () => {
  engine = await startTestEngine({ logLevel: 'debug' }, { write: (line) => lines.push(JSON.parse(line)) })
})
afterAll(() => engine.stop())

/** Says it and hangs up, at once or when the engine has had its say. */
async function say(socket: Socket, bytes: string | Buffer, hangUp = false): Promise<void> {
  socket.on('error', () => undefined)
  const closed = new Promise((resolve) => socket.on('close', resolve))
  const heard = new Promise((resolve) => socket.once('data', resolve))
  socket.write(bytes, () => hangUp && socket.destroy())
  const late = new Promise((resolve) => setTimeout(resolve, 300).unref())
  await Promise.race([closed, heard, late])
  socket.destroy()
}

const frame = (packet: unknown): string => {
  const text = JSON.stringify(packet)
  return `${text.length}#${text}`
}
const call = (session: string, data: unknown): string => frame({ pattern: { session }, data, id: '1' })

it('nothing that a peer does wrong is an error of the engine', async () => {
  const hello = helloOf('stranger').said
  const toAgents = [
    'GET / HTTP/1.1\r\n\r\n',
    '999999999#x',
    '5#nojson',
    '3#{"a',
    Buffer.from([0xff, 0xfe, 0x00, 0x35, 0x23]),
    frame({ pattern: { no: 'such' }, data: 1, id: '1' }),
    frame({ pattern: 'no such', data: 1 }),
    frame({ pattern: { session: 'heartbeat' }, data: { epoch: 1 } }),
    call('heartbeat', null),
    call('open', { ...hello, epoch: 'wrong' }),
    call('open', { ...hello, bootId: ['a'], facts: 7 }),
    call('open', null),
    call('inventory', { epoch: -1, items: 'x', last: 3 }),
    call('close', { epoch: 1, reason: {} }),
  ]
  for (const bytes of toAgents) {
    for (const hangUp of [false, true]) {
      await say(connect(engine.tcp.port, engine.tcp.host), bytes, hangUp)
      await say(await secureSocket(engine.tcp, 'faulty'), bytes, hangUp)
    }
  }
  for (const name of ['hangs-up', 'hangs-up-again'])
    await say(await secureSocket(engine.tcp, name), call('open', helloOf(name).said), true)
  const agent = await WireAgent.open(engine.tcp, helloOf('real'))
  agent.vanish()

  const { hostname: host, port } = new URL(engine.url)
  const credentials = `authorization: Bearer ${engine.token}\r\n`
  const toCallers = [
    'NONSENSE\r\n\r\n',
    `POST /api/v1/hosts HTTP/1.1\r\nhost: x\r\n${credentials}content-type: application/json\r\ncontent-length: 100\r\n\r\n{"na`,
    `POST /api/v1/hosts HTTP/1.1\r\nhost: x\r\n${credentials}content-type: application/json\r\ncontent-length: 4\r\n\r\n{"a"`,
    `GET /api/v1/events/stream HTTP/1.1\r\nhost: x\r\n${credentials}\r\n`,
    `GET /api/v1/events?limit=500 HTTP/1.1\r\nhost: x\r\n${credentials}\r\n`.repeat(10),
    'GET /api/v1/hosts/%ff HTTP/1.1\r\nhost: x\r\n\r\n',
  ]
  for (const bytes of toCallers) {
    for (const hangUp of [false, true]) await say(connect(Number(port), host), bytes, hangUp)
  }
  const reader = await SseReader.open(`${engine.url}/api/v1/events/stream`, { token: engine.token })
  reader.close()

  await eventually(async () => expect((await engine.http.get('/health/ready')).status).toBe(200))
  expect(lines.length).toBeGreaterThan(0)
  expect(lines.filter(({ level }) => level === 'error' || level === 'fatal')).toEqual([])
  // a caller that hangs up breaks a connection, but none to the database
  expect(lines.filter(({ msg }) => msg.includes('the caller hung up')).length).toBeGreaterThan(0)
  expect(lines.filter(({ msg }) => msg.includes('database-unavailable'))).toEqual([])
})
