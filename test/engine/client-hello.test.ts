import { once } from 'node:events'
import { type AddressInfo, createServer as createTcpServer, type Server } from 'node:net'
import { connect, createServer } from 'node:tls'
import { offersToResume } from '../../src/engine/sessions/client-hello.js'
import { selfSigned } from '../support/certificate.js'

async function portOf(server: Server): Promise<number> {
  server.listen(0, '127.0.0.1')
  await once(server, 'listening')
  return (server.address() as AddressInfo).port
}

/** A session as a server gave it. */
async function ticket(): Promise<Buffer> {
  const server = createServer({ ...selfSigned, minVersion: 'TLSv1.3' }, (socket) => void socket.write('hello'))
  const client = connect({ port: await portOf(server), host: '127.0.0.1', rejectUnauthorized: false })
  client.resume()
  const [session] = (await once(client, 'session')) as [Buffer]
  client.destroy()
  server.close()
  return session
}

/** What a client says first. */
async function helloWith(session?: Buffer): Promise<Buffer> {
  const server = createTcpServer()
  const port = await portOf(server)
  const heard = new Promise<Buffer>((resolve) => {
    server.once('connection', (socket) => socket.once('data', resolve))
  })
  const client = connect({ port, host: '127.0.0.1', session, minVersion: 'TLSv1.3', rejectUnauthorized: false })
  client.on('error', () => undefined)
  const bytes = await heard
  client.destroy()
  server.close()
  return bytes
}

it('who has a ticket offers to resume a session, and who has none does not', async () => {
  expect(offersToResume(await helloWith(await ticket()))).toBe(true)
  expect(offersToResume(await helloWith())).toBe(false)
})

it('what is cut off, or is no ClientHello, offers nothing and breaks nothing', async () => {
  const hello = await helloWith(await ticket())
  // the offer is the last of the extensions
  for (let length = 0; length < 40; length += 1) expect(offersToResume(hello.subarray(0, length))).toBe(false)
  for (let length = 40; length < hello.length; length += 1)
    expect(() => offersToResume(hello.subarray(0, length))).not.toThrow()
  expect(offersToResume(Buffer.alloc(500, 0xff))).toBe(false)
  expect(offersToResume(Buffer.alloc(500))).toBe(false)
})
