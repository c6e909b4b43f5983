import { createServer, type Server } from 'node:http'
import { type AddressInfo, connect, type Socket } from 'node:net'
import { limitConnections } from '../../src/engine/platform/connection-limits.js'
import { createHttpAdapter } from '../../src/engine/platform/http-server.js'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import { converse } from '../support/raw-socket.js'
import { startToys, type ToyEngine } from './support/toy.js'

let engine: TestEngine
let toys: ToyEngine
beforeAll(async () => {
  engine = await startTestEngine()
  toys = await startToys()
})
afterAll(async () => {
  await toys?.stop()
  await engine?.stop()
})

const strict = /^default-src 'none';.*frame-ancestors 'none'/

describe('the security headers', () => {
  const get = (path: string, lines: readonly string[] = []) =>
    [`GET ${path} HTTP/1.1`, 'Host: x', ...lines, '', ''].join('\r\n')

  it.each([
    ['a reply', get('/health/live'), 200],
    ['a refusal', get('/api/v1/hosts'), 401],
    ['an unknown path', get('/nothing'), 404],
    ['a wrong method', get('/health/live').replace('GET', 'PUT'), 405],
    ['an address that cannot be decoded', get('/%zz'), 400],
    ['a query that cannot be decoded', get('/health/live?%zz'), 400],
    ['a parameter that is too long', get(`/api/v1/hosts/${'a'.repeat(3_000)}`), 414],
    ['what Node cannot read', 'nonsense\r\n\r\n', 400],
    ['headers that are too large', get('/health/live', [`X: ${'a'.repeat(20_000)}`]), 431],
    ['two hosts', get('/health/live', ['Host: y']), 400],
  ])('are on %s', async (_, bytes, status) => {
    const { received, statuses } = await converse(engine.url, bytes)
    const headers = headersOf(received)
    expect(statuses).toEqual([status])
    expect(headers.get('content-security-policy')).toMatch(strict)
    expect(Object.fromEntries(headers)).toMatchObject({
      'x-content-type-options': 'nosniff',
      'x-frame-options': 'DENY',
      'referrer-policy': 'no-referrer',
      'cross-origin-opener-policy': 'same-origin',
      'cross-origin-resource-policy': 'same-origin',
      'cache-control': 'no-store',
    })
    expect(headers.has('strict-transport-security')).toBe(false)
    expect(headers.has('x-powered-by')).toBe(false)
  })

  it('are on a stream, from its beginning', async () => {
    const lines = [`Authorization: Bearer ${engine.token}`]
    const { received, closed } = await converse(engine.url, get('/api/v1/events/stream', lines))
    expect(closed).toBe(false)
    expect(headersOf(received).get('content-type')).toBe('text/event-stream')
    expect(headersOf(received).get('content-security-policy')).toMatch(strict)
  })

  it('let the reader of the document run its own scripts, and nobody frame it', async () => {
    for (const path of ['/docs', '/docs/', '/docs/swagger-ui-bundle.js']) {
      const { headers } = await fetch(`${engine.url}${path}`)
      const policy = headers.get('content-security-policy')
      expect(policy).toMatch(/^default-src 'self';.*frame-ancestors 'none'/)
      expect(policy).not.toMatch(/script-src|unsafe-eval|https?:/)
    }
  })

  it('tell browsers to stay with TLS where that is switched on', async () => {
    const adapter = createHttpAdapter({
      httpBodyLimitBytes: 1_024,
      requestTimeoutMs: 5_000,
      drainTimeoutMs: 0,
      trustedProxies: [],
      hsts: true,
    })
    const server = adapter.getInstance()
    server.get('/', async () => 'hello')
    for (const url of ['/', '/nothing', '/%zz']) {
      const { headers } = await server.inject({ method: 'GET', url, headers: { host: 'x' } })
      expect(headers['strict-transport-security']).toBe('max-age=31536000')
    }
    await server.close()
  })
})

describe('whoever is slow', () => {
  const drip = (bytes: string): Promise<{ received: string; ms: number }> => {
    const { hostname, port } = new URL(toys.baseUrl)
    const startedMs = performance.now()
    return new Promise((resolve) => {
      const socket = connect(Number(port), hostname)
      let received = ''
      let at = 0
      const timer = setInterval(() => socket.write(bytes[at++ % bytes.length] ?? ''), 50)
      socket.on('data', (chunk) => {
        received += chunk.toString('latin1')
      })
      socket.on('error', () => undefined)
      socket.on('close', () => {
        clearInterval(timer)
        resolve({ received, ms: performance.now() - startedMs })
      })
    })
  }

  it('is cut off in time: with headers, with nothing, with a body', async () => {
    const { hostname, port } = new URL(toys.baseUrl)
    const silent = new Promise<number>((resolve) => {
      const startedMs = performance.now()
      const socket = connect(Number(port), hostname)
      socket.on('error', () => undefined).resume()
      socket.on('close', () => resolve(performance.now() - startedMs))
    })
    const begun = 'GET /health/live HTTP/1.1\r\nHost: x\r\n'
    const [headers, silence] = await Promise.all([drip(begun + 'X: a\r\n'.repeat(1_000)), silent])
    expect(headers.received).toMatch(/^HTTP\/1\.1 408 /)
    // the toys' limit is 5 s, and they look every second
    expect(headers.ms).toBeLessThan(20_000)
    expect(silence).toBeLessThan(20_000)
  })
})

describe('connections', () => {
  let server: Server
  const sockets: Socket[] = []
  const start = async (limits: Partial<Parameters<typeof limitConnections>[1]>) => {
    server = createServer((_, response) => response.end())
    limitConnections(server, { isTrustedProxy: () => false, mostEach: 3, ...limits })
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  }
  afterEach(() => {
    for (const socket of sockets.splice(0)) socket.destroy()
    server.close().closeAllConnections()
  })

  /** Counts those that are still open. */
  const open = async (count: number): Promise<() => number> => {
    const { port } = server.address() as AddressInfo
    const opened = Array.from({ length: count }, () => connect(port, '127.0.0.1'))
    sockets.push(...opened)
    for (const socket of opened) socket.on('error', () => undefined).resume()
    await Promise.all(opened.map((socket) => new Promise((resolve) => socket.once('connect', resolve))))
    return () => opened.filter((socket) => !socket.closed && !socket.destroyed && socket.readyState === 'open').length
  }

  it('of one address are no more than its share, and one that ends makes room', async () => {
    await start({})
    const left = await open(5)
    await eventually(() => expect(left()).toBe(3))
    for (const socket of sockets.splice(0)) socket.destroy()
    await eventually(async () => {
      const count = await new Promise((resolve) => server.getConnections((_, connections) => resolve(connections)))
      expect(count).toBe(0)
    })
    const again = await open(3)
    expect(again()).toBe(3)
  })

  it('of a trusted proxy are as many as there may be of all', async () => {
    await start({ isTrustedProxy: () => true })
    const left = await open(5)
    expect(left()).toBe(5)
  })
})

function headersOf(received: string): Map<string, string> {
  const [head = ''] = received.split('\r\n\r\n')
  const lines = head.split('\r\n').slice(1)
  return new Map(
    lines.map((line) => [line.slice(0, line.indexOf(':')).toLowerCase(), line.slice(line.indexOf(':') + 2)]),
  )
}
