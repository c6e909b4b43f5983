import { mkdir, stat } from 'node:fs/promises'
import { request } from 'node:http'
import { connect } from 'node:net'
import { join } from 'node:path'
import type { XmlRpcMethods, XmlRpcServer } from '../../src/agent/xmlrpc/server.js'
import { serveXmlRpc, type XmlRpcLimits } from '../../src/agent/xmlrpc/server.js'
import { eventually } from '../support/eventually.js'
import { Gate } from './support/gate.js'
import { recordingLogger } from './support/log.js'
import { temporaryDirectory, whenTestEnds } from './support/temporary.js'

interface How {
  readonly path?: string
  readonly method?: string
  readonly headers?: Readonly<Record<string, string>>
}

interface Reply {
  readonly status: number
  readonly text: string
}

const call = (method: string, value = '<int>1</int>') =>
  `<methodCall><methodName>${method}</methodName><params><param><value>${value}</value></param></params></methodCall>`

async function serve(methods: XmlRpcMethods = {}, limits: Partial<XmlRpcLimits> = {}, directory?: string) {
  const logger = recordingLogger()
  const server = await serveXmlRpc({
    directory: directory ?? (await temporaryDirectory()),
    name: 'test.sock',
    methods: { echo: async (params) => params, ...methods },
    logger,
    limits,
  })
  whenTestEnds(() => server.close())
  return { server, logger }
}

function post(
  { path: socketPath }: XmlRpcServer,
  body: string,
  { path = '/RPC2', method = 'POST', headers = {} }: How = {},
): Promise<Reply> {
  return new Promise((resolve, reject) => {
    const sent = request({ socketPath, path, method, headers: { 'content-type': 'text/xml', ...headers } }, (reply) => {
      let text = ''
      reply.setEncoding('utf8').on('data', (chunk: string) => {
        text += chunk
      })
      reply.on('end', () => resolve({ status: reply.statusCode ?? 0, text }))
    })
    sent.on('error', reject)
    sent.end(body)
  })
}

/** What comes back for bytes as they are, until the other side ends the connection. */
function raw({ path }: XmlRpcServer, text: string): Promise<string> {
  return new Promise((resolve) => {
    const socket = connect({ path })
    let reply = ''
    socket.setEncoding('utf8').on('data', (chunk: string) => {
      reply += chunk
    })
    socket.on('error', () => undefined)
    socket.on('close', () => resolve(reply))
    socket.write(text)
  })
}

describe('the XML-RPC server', () => {
  it('carries out a method, and answers a fault for one that it does not have', async () => {
    const { server } = await serve()
    expect(await post(server, call('echo'))).toMatchObject({
      status: 200,
      text: expect.stringContaining('<int>1</int>'),
    })
    expect((await post(server, call('nosuch'))).text).toContain('<int>-32601</int>')
    expect((await post(server, call('toString'))).text).toContain('<int>-32601</int>')
    expect((await post(server, '<')).text).toContain('<int>-32700</int>')
  })

  it('says nothing of an error that is none of the protocol, and logs it', async () => {
    const { server, logger } = await serve({
      broken: async () => {
        throw new Error('the password is 7')
      },
    })
    const { text } = await post(server, call('broken'))
    expect(text).toContain('<int>-32603</int>')
    expect(text).not.toContain('password')
    expect(logger.lines).toMatchObject([{ level: 'error' }])
  })

  it('is for its owner alone', async () => {
    const { server } = await serve()
    const { mode, uid } = await stat(server.path)
    expect(mode & 0o777).toBe(0o600)
    expect(uid).toBe(process.getuid?.())
  })

  it('takes the place of a socket that a killed process left behind', async () => {
    const directory = await temporaryDirectory()
    await serve({}, {}, directory)
    const { server } = await serve({}, {}, directory)
    expect((await post(server, call('echo'))).status).toBe(200)
    await server.close()
    await expect(stat(server.path)).rejects.toThrow('ENOENT')
  })

  it('can be made in a directory whose path is longer than a socket address', async () => {
    const directory = join(await temporaryDirectory(), 'd'.repeat(120))
    await mkdir(directory)
    const { server } = await serve({}, {}, directory)
    expect((await stat(server.path)).isSocket()).toBe(true)
  })

  it.each([
    ['another path', 404, { path: '/etc' }],
    ['another method', 405, { method: 'PUT' }],
    ['another type', 415, { headers: { 'content-type': 'application/json' } }],
  ])('refuses %s with %d', async (_, status, how) => {
    const { server } = await serve()
    expect((await post(server, call('echo'), how)).status).toBe(status)
  })

  it('refuses a body that is too large, also one that does not say so', async () => {
    const { server } = await serve({}, { bodyBytes: 1000 })
    const large = call('echo', 'x'.repeat(2000))
    expect((await post(server, large)).status).toBe(413)
    expect((await post(server, large, { headers: { 'transfer-encoding': 'chunked' } })).status).toBe(413)
    expect((await post(server, call('echo'))).status).toBe(200)
  })

  it('refuses headers that are too large, and what is no HTTP', async () => {
    const { server } = await serve()
    expect(await raw(server, `POST / HTTP/1.1\r\nx: ${'y'.repeat(20_000)}\r\n\r\n`)).toMatch(/^HTTP\/1.1 431/)
    expect(await raw(server, 'hello\r\n\r\n')).toMatch(/^HTTP\/1.1 400/)
  })

  it('waits for no request longer than it may take, nor for a connection that says nothing', async () => {
    const { server } = await serve({}, { requestMs: 200, idleMs: 300 })
    const startedMs = performance.now()
    const head = 'POST / HTTP/1.1\r\nhost: x\r\ncontent-type: text/xml\r\ncontent-length: 100\r\n\r\n'
    await Promise.all([raw(server, head), raw(server, 'POST / HT'), raw(server, '')])
    expect(performance.now() - startedMs).toBeLessThan(20_000)
  })

  it('answers a call that is late with a fault', async () => {
    const gate = new Gate()
    const { server } = await serve(
      {
        slow: async () => {
          await gate.passed
          return 1
        },
      },
      { callMs: 50 },
    )
    expect((await post(server, call('slow'))).text).toContain('may still be carried out')
    gate.open()
  })

  it('carries out so many calls at once and no more', async () => {
    const gate = new Gate()
    let running = 0
    const slow = async () => {
      running += 1
      await gate.passed
      return 1
    }
    const { server } = await serve({ slow }, { callsAtOnce: 2 })
    const calls = [post(server, call('slow')), post(server, call('slow'))]
    await eventually(() => expect(running).toBe(2))
    expect((await post(server, call('echo'))).status).toBe(503)
    gate.open()
    expect((await Promise.all(calls)).map(({ status }) => status)).toEqual([200, 200])
    expect((await post(server, call('echo'))).status).toBe(200)
  })

  it('ends in time although somebody is connected', async () => {
    const { server } = await serve()
    const socket = connect({ path: server.path })
    await new Promise((resolve) => socket.once('connect', resolve))
    const closed = new Promise((resolve) => socket.once('close', resolve))
    await server.close()
    await closed
  })

  it('cannot be made where there is no directory', async () => {
    const directory = join(await temporaryDirectory(), 'missing')
    await expect(serve({}, {}, directory)).rejects.toThrow('ENOENT')
  })
})
