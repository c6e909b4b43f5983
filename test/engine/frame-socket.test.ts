import { once } from 'node:events'
import { connect, createServer, type Server, type Socket } from 'node:net'
import { FrameSocket } from '../../src/engine/sessions/frame-socket.js'
import { eventually } from '../support/eventually.js'

const WHOLE_MS = 2_000
const FRAME = '3#"x"'
let server: Server
const heard: unknown[] = []
const open: Socket[] = []

beforeAll(async () => {
  server = createServer((socket) => {
    socket.on('error', () => undefined)
    new FrameSocket(socket, WHOLE_MS).on('message', (message: unknown) => heard.push(message))
  }).listen(0, '127.0.0.1')
  await once(server, 'listening')
})
beforeEach(() => heard.splice(0))
afterEach(() => {
  for (const socket of open.splice(0)) socket.destroy()
})
afterAll(() => server.close())

function dial() {
  const socket = connect((server.address() as { port: number }).port, '127.0.0.1')
  const peer = { socket, cutOff: false }
  socket
    .setNoDelay(true)
    .on('error', () => undefined)
    .on('close', () => {
      peer.cutOff = true
    })
  open.push(socket)
  return peer
}

/** Sends a byte at a time, until the other side has had enough. */
async function trickle({ socket }: { socket: Socket }, text: string, everyMs: number): Promise<void> {
  for (const byte of text) {
    if (socket.destroyed) return
    socket.write(byte)
    await new Promise((resolve) => setTimeout(resolve, everyMs))
  }
}

it('a frame that comes a byte at a time is over after its time, whatever came before it', async () => {
  const peer = dial()
  peer.socket.write(FRAME)
  await eventually(() => expect(heard).toEqual(['x']))
  const startedMs = performance.now()
  await trickle(peer, `1000#${'x'.repeat(1_000)}`, 20)
  expect(peer.cutOff).toBe(true)
  expect(performance.now() - startedMs).toBeLessThan(8 * WHOLE_MS)
  expect(heard).toEqual(['x'])
})

it('frames that come in pieces are read for as long as each is whole in time', async () => {
  const peer = dial()
  await trickle(peer, FRAME.repeat(20), 20)
  await eventually(() => expect(heard).toHaveLength(20))
  expect(peer.cutOff).toBe(false)
})

it('a connection between two frames is left alone', async () => {
  const peer = dial()
  peer.socket.write('3#"')
  await trickle(peer, 'x"', 20)
  await eventually(() => expect(heard).toEqual(['x']))
  const whole = performance.now()
  await eventually(() => expect(performance.now() - whole).toBeGreaterThan(2 * WHOLE_MS))
  peer.socket.write(FRAME)
  await eventually(() => expect(heard).toEqual(['x', 'x']))
  expect(peer.cutOff).toBe(false)
})
