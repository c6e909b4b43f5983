import { randomUUID } from 'node:crypto'
import { connect } from 'node:net'
import { startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine
const nobody = '00000000-0000-4000-8000-000000000000'

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

describe('a problem document', () => {
  it('names the thing, the path and the request', async () => {
    const { status, headers, body } = await toys.client.get(`/api/v1/toys/${nobody}?`, {
      headers: { 'x-request-id': 'r-1' },
    })
    expect(status).toBe(404)
    expect(headers.get('content-type')).toMatch(/^application\/problem\+json/)
    expect(body).toEqual({
      type: 'urn:keelson:problem:not-found',
      title: 'There is no such thing',
      status: 404,
      detail: `toy ${nobody} does not exist`,
      instance: `/api/v1/toys/${nobody}`,
      requestId: 'r-1',
    })
  })

  it('carries what a conflict adds, under a type of its own', async () => {
    const { status, body } = await toys.client.post('/api/v1/toys', { name: 'taken' })
    expect(status).toBe(409)
    expect(body).toMatchObject({ type: 'urn:keelson:problem:in-use', users: ['somebody'] })
  })

  it('says when to try again', async () => {
    const { status, headers } = await toys.client.post('/api/v1/toys', { name: 'later' })
    expect(status).toBe(503)
    expect(headers.get('retry-after')).toBe('7')
  })

  it('says nothing of what went wrong inside', async () => {
    const { status, body } = await toys.client.get('/odd/broken')
    expect(status).toBe(500)
    expect(JSON.stringify(body)).not.toContain('swordfish')
  })

  it('answers an unknown path', async () => {
    const { status, body } = await toys.client.get('/api/v1/nothing?x=1', { undocumented: true })
    expect(status).toBe(404)
    expect(body).toMatchObject({ type: 'urn:keelson:problem:route-not-found', instance: '/api/v1/nothing' })
  })

  it.each([
    ['PUT', '/api/v1/toys', 'GET, HEAD, POST'],
    ['POST', `/api/v1/toys/${nobody}`, 'DELETE, GET, HEAD, PATCH'],
  ])('answers %s %s with the methods that are allowed', async (method, path, allowed) => {
    const reply = await fetch(`${toys.baseUrl}${path}`, { method })
    expect(reply.status).toBe(405)
    expect(reply.headers.get('allow')).toBe(allowed)
    expect(await reply.json()).toMatchObject({ type: 'urn:keelson:problem:method-not-allowed' })
  })

  it.each([
    ['a path that cannot be decoded', '/odd/text/%E0%A4%A'],
    ['bytes of a path that are no UTF-8', '/odd/text/%ff'],
    ['a query that cannot be decoded', '/api/v1/toys?colour=%zz'],
    ['a NUL in a path', '/odd/text/a%00b'],
    ['a NUL in a query', '/api/v1/toys?colour=%00'],
    ['a prototype key in a query', '/api/v1/toys?__proto__=1'],
  ])('refuses %s with 400', async (_what, path) => {
    const reply = await fetch(`${toys.baseUrl}${path}`)
    expect(reply.status).toBe(400)
    expect(reply.headers.get('x-request-id')).toBeTruthy()
    expect(reply.headers.get('x-content-type-options')).toBe('nosniff')
    expect(await reply.json()).toMatchObject({ type: 'urn:keelson:problem:bad-request', status: 400 })
  })

  it('refuses a path parameter without end', async () => {
    const { status, body } = await toys.client.get(`/odd/text/${'a'.repeat(2_100)}`)
    expect(status).toBe(414)
    expect(body.type).toBe('urn:keelson:problem:uri-too-long')
  })

  it('is given even where Node refuses the request', async () => {
    expect(await raw(`GET / HTTP/1.1\r\nHost: x\r\nX: ${'a'.repeat(20_000)}\r\n\r\n`)).toMatch(
      /^HTTP\/1\.1 431 .*"urn:keelson:problem:headers-too-large"/s,
    )
    expect(await raw('nonsense\r\n\r\n')).toMatch(/^HTTP\/1\.1 400 .*"urn:keelson:problem:bad-request"/s)
  })

  it('ends a request that does not arrive in time', async () => {
    const head =
      'POST /api/v1/toys HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\nContent-Length: 100\r\n\r\n{'
    expect(await raw(head)).toMatch(/^HTTP\/1\.1 408 .*"urn:keelson:problem:request-timeout"/s)
  })
})

describe('while the database is away', () => {
  it('answers 503 with Retry-After, says that it is not ready but alive, and works again afterwards', async () => {
    await toys.wire.cut()
    for (const reply of [
      await toys.client.get(`/api/v1/toys/${nobody}`),
      await toys.client.post('/api/v1/toys', { name: 'a' }),
    ]) {
      expect(reply.status).toBe(503)
      expect(reply.headers.get('retry-after')).toBe('2')
      expect(reply.body.type).toBe('urn:keelson:problem:database-unavailable')
    }
    const ready = await toys.client.get('/health/ready')
    expect(ready.status).toBe(503)
    expect(ready.body).toMatchObject({
      type: 'urn:keelson:problem:not-ready',
      missing: { database: expect.any(String) },
    })
    expect((await toys.client.get('/health/live')).status).toBe(200)
    await toys.wire.restore()
    expect((await toys.client.get(`/api/v1/toys/${nobody}`)).status).toBe(404)
    expect((await toys.client.get('/health/ready')).status).toBe(200)
  })

  it('answers 503 and nothing else, whatever a request was in the midst of', async () => {
    const statuses = new Map<string, number>()
    let cutting = true
    const requests: (() => Promise<{ status: number; body: unknown }>)[] = [
      () => toys.client.get('/api/v1/toys'),
      () => toys.client.post('/api/v1/toys', { name: 'a' }),
      () => toys.client.post('/api/v1/toys', { name: 'a' }, { headers: { 'idempotency-key': randomUUID() } }),
      () => toys.client.get('/health/ready'),
    ]
    const askers = [...requests, ...requests].map(async (ask) => {
      while (cutting) {
        const { status, body } = await ask()
        const seen = status < 500 || status === 503 ? String(status) : JSON.stringify(body)
        statuses.set(seen, (statuses.get(seen) ?? 0) + 1)
      }
    })
    for (let turn = 0; turn < 40; turn++) {
      await toys.client.get('/api/v1/toys')
      await toys.wire.cut()
      await toys.client.get('/health/live')
      await toys.wire.restore()
    }
    cutting = false
    await Promise.all(askers)
    expect([...statuses.keys()].sort()).toEqual(['200', '201', '503'])
  })

  it('answers 503 within seconds when the database accepts and says nothing', async () => {
    await toys.wire.cut()
    await toys.wire.restore({ mute: true })
    try {
      // the first may find a connection that is broken, the second has to make one
      for (const path of [`/api/v1/toys/${nobody}`, '/api/v1/toys']) {
        const { status, body } = await toys.client.get(path)
        expect([status, body.type]).toEqual([503, 'urn:keelson:problem:database-unavailable'])
      }
    } finally {
      await toys.wire.cut()
      await toys.wire.restore()
    }
    expect((await toys.client.get(`/api/v1/toys/${nobody}`)).status).toBe(404)
  })
})

function raw(request: string): Promise<string> {
  const { hostname, port } = new URL(toys.baseUrl)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => socket.write(request))
    let received = ''
    socket.setEncoding('utf8').on('data', (chunk) => {
      received += String(chunk)
    })
    socket.on('close', () => resolve(received)).on('error', reject)
  })
}
