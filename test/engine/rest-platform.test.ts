import { connect } from 'node:net'
import { eventually } from '../support/eventually.js'
import { startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

describe('a request id', () => {
  it('is taken from the caller, echoed, and known to whatever serves it', async () => {
    const headers = { 'x-request-id': 'my-request.1' }
    const get = await toys.client.get('/odd/request-id', { headers })
    const post = await toys.client.post('/odd/request-id', { name: 'a' }, { headers })
    expect([get.body, post.body]).toEqual(['my-request.1', 'my-request.1'])
    expect(get.headers.get('x-request-id')).toBe('my-request.1')
  })

  it.each([['with space'], ['a'.repeat(129)], ['"quoted"'], ['']])('is made up instead of %s', async (given) => {
    const { headers, body } = await toys.client.get('/odd/request-id', { headers: { 'x-request-id': given } })
    expect(headers.get('x-request-id')).toMatch(/^[0-9a-f-]{36}$/)
    expect(body).toBe(headers.get('x-request-id'))
  })

  it('is another one for each request', async () => {
    const replies = await Promise.all(Array.from({ length: 50 }, () => toys.client.get('/odd/request-id')))
    expect(new Set(replies.map(({ body }) => body)).size).toBe(50)
  })
})

describe('health', () => {
  it('is ready when every check passes, and names those that do not', async () => {
    expect((await toys.client.get('/health/ready')).body).toEqual({ status: 'ok' })
    toys.readiness.register('transport', () => Promise.reject(new Error('not listening')))
    toys.readiness.register('clock', () => new Promise(() => {}))
    const { status, body } = await toys.client.get('/health/ready')
    expect(status).toBe(503)
    expect(body.missing).toEqual({ transport: 'not listening', clock: 'no answer within 1000 ms' })
  })
})

describe('metrics', () => {
  it('count requests by template, never by path', async () => {
    await toys.client.get('/api/v1/toys/00000000-0000-4000-8000-000000000000')
    await fetch(`${toys.baseUrl}/some/where`)
    const { status, headers, body } = await toys.client.get<string>('/metrics')
    expect(status).toBe(200)
    expect(headers.get('content-type')).toMatch(/^text\/plain/)
    expect(body).toMatch(
      /keelson_http_request_duration_seconds_count\{method="GET",route="\/api\/v1\/toys\/:id",status="404"\} 1/,
    )
    expect(body).toMatch(/route="unknown",status="404"/)
    expect(body).not.toContain('/some/where')
  })

  it('tell of the pool, the event loop and the process', async () => {
    const { body } = await toys.client.get<string>('/metrics')
    for (const line of [
      /keelson_database_connections\{state="idle"\} \d/,
      /nodejs_eventloop_lag_seconds /,
      /process_cpu_seconds_total /,
    ]) {
      expect(body).toMatch(line)
    }
  })
})

it('a reply is not for frames, sniffing or caches', async () => {
  const { headers } = await toys.client.get('/health/live')
  expect(headers.get('x-content-type-options')).toBe('nosniff')
  expect(headers.get('content-security-policy')).toContain("frame-ancestors 'none'")
  expect(headers.get('cache-control')).toBe('no-store')
})

it('a caller that does not read its reply holds up no shutdown', async () => {
  const other = await startToys()
  const { hostname, port } = new URL(other.baseUrl)
  const socket = connect(Number(port), hostname).on('error', () => {})
  socket.pause().write('GET /docs/swagger-ui-bundle.js HTTP/1.1\r\nHost: x\r\n\r\n'.repeat(20))
  await eventually(async () => expect((await other.client.get<string>('/metrics')).body).toMatch(/swagger|docs/))
  const before = performance.now()
  await other.stop()
  expect(performance.now() - before).toBeLessThan(10_000)
  socket.destroy()
})
