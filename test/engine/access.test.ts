import { readFileSync } from 'node:fs'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { http } from '../support/http.js'

let engine: TestEngine
beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.stop())

const nobody = '00000000-0000-4000-8000-00000000dead'
const { paths } = JSON.parse(readFileSync('openapi.json', 'utf8')) as {
  paths: Record<string, Record<string, { operationId: string; security: object[] }>>
}
const operations = Object.entries(paths).flatMap(([path, item]) =>
  Object.entries(item).map(([method, { operationId, security }]) => ({
    method: method as 'get',
    path: path
      .replace('{connectionId}', 'none')
      .replace('{key}', 'none')
      .replace(/\{\w+\}/g, nobody),
    operationId,
    open: security.length === 0,
  })),
)
const closed = operations.filter(({ open }) => !open)

describe('a caller who says nothing', () => {
  it('is answered by few routes alone', () => {
    expect(operations.filter(({ open }) => open).map(({ operationId }) => operationId)).toEqual([
      'enrolment.create',
      'session.signIn',
      'session.beginOidc',
      'session.finishOidc',
      'session.providers',
      'health.live',
      'health.ready',
      'openapi.get',
    ])
  })

  it.each(closed)('is told to sign in by $operationId', async ({ method, path }) => {
    const reply = await http(engine.url)[method](path)
    expect(reply).toMatchObject({ status: 401, body: { type: 'urn:keelson:problem:unauthenticated' } })
    expect(reply.headers.get('www-authenticate')).toMatch(/^Bearer/)
  })
})

describe('a token', () => {
  const withToken = (authorization: string) => http(engine.url).get('/api/v1/hosts', { headers: { authorization } })

  it('opens what its user may', async () => {
    expect((await withToken(`Bearer ${engine.token}`)).status).toBe(200)
  })

  it.each([
    ['of another form', 'Bearer nonsense'],
    ['of another kind', 'Basic YTpi'],
    ['that was never issued', `Bearer kst_${'0'.repeat(32)}_${'A'.repeat(43)}`],
  ])('%s is refused', async (_, authorization) => {
    expect(await withToken(authorization)).toMatchObject({ status: 401 })
  })

  it('with another secret is refused', async () => {
    const changed = engine.token.slice(0, -1) + (engine.token.endsWith('A') ? 'E' : 'A')
    expect(await withToken(`Bearer ${changed}`)).toMatchObject({ status: 401 })
  })

  it('is not in the database as it is', async () => {
    const [row] = await engine.query<{ text: string }>('SELECT string_agg(t::text, $1) AS text FROM api_tokens t', [
      ',',
    ])
    const secret = engine.token.split('_').slice(2).join('_')
    expect(row?.text).not.toContain(secret)
    expect(row?.text).not.toContain(Buffer.from(secret, 'base64url').toString('hex'))
  })
})
