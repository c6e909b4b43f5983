import { startToys, type ToyEngine } from './support/toy.js'

let toys: ToyEngine
const path = '/api/v1/toys'

beforeAll(async () => {
  toys = await startToys()
})
afterAll(() => toys.stop())

const fields = (body: { faults: { field: string; code: string }[] }) =>
  body.faults.map(({ field, code }) => `${field} ${code}`)

describe('input', () => {
  it('is told the fault of each field, by its path', async () => {
    const { status, body } = await toys.client.post(path, {
      name: 7,
      weight: 'heavy',
      wheels: [{ size: 1 }, { size: 0 }],
    })
    expect(status).toBe(422)
    expect(body.type).toBe('urn:keelson:problem:invalid')
    expect(fields(body).sort()).toEqual(['name isLength', 'name isString', 'weight isInt', 'wheels[1].size min'])
  })

  it('is refused with fields that nobody knows, at any depth', async () => {
    const { status, body } = await toys.client.post(path, { name: 'a', colr: 'red', wheels: [{ size: 1, spokes: 3 }] })
    expect(status).toBe(422)
    expect(fields(body).sort()).toEqual(['colr unknownField', 'wheels[0].spokes unknownField'])
  })

  it.each([['null'], ['[]'], ['[{"name":"a"}]'], ['"text"'], ['7'], ['true'], ['{"name":null}'], ['{}'], ['']])(
    'is refused as %s',
    async (body) => {
      expect((await toys.client.post(path, body)).status).toBe(422)
    },
  )

  it.each([
    ['no JSON', '{"name":'],
    ['nothing but space', '  '],
    ['two values', '{"name":"a"}{}'],
    ['a NUL', '{"name":"a\\u0000b"}'],
    ['half a surrogate pair', '{"name":"\\ud83d"}'],
    ['a key twice', '{"name":"a","name":"b"}'],
    ['a key twice, once escaped', '{"name":"a","n\\u0061me":"b"}'],
    ['a prototype key', '{"name":"a","__proto__":{"admin":true}}'],
    ['a prototype key within', '{"name":"a","labels":{"constructor":{"prototype":{}}}}'],
    ['a prototype key in an array', '{"name":"a","labels":{"a":[1,{"__proto__":{}}]}}'],
    ['a prototype key in an array of arrays', '{"name":"a","labels":{"a":[[[{"prototype":1}]]]}}'],
    ['a prototype key in a field that has a class', '{"name":"a","wheels":[{"size":1,"__proto__":{"size":2}}]}'],
    ['a prototype key with a plain value', '{"name":"a","__proto__":null}'],
    ['a prototype key of the body, which is an array', '[{"constructor":{}}]'],
    ['what every object has', '{"name":"a","hasOwnProperty":1}'],
    ['what every object has, to be called', '{"name":"a","labels":{"toString":"x"}}'],
    ['a key twice, far apart and deep', '{"name":"a","labels":{"a":[{"b":1,"c":{"b":2},"b":3}]}}'],
    ['an escaped prototype key', '{"name":"a","__pr\\u006fto__":{}}'],
    ['nesting without end', `{"name":"a","labels":${'{"a":'.repeat(5_000)}1${'}'.repeat(5_000)}}`],
    ['arrays without end', `${'['.repeat(400_000)}${']'.repeat(400_000)}`],
    ['broken UTF-8', Buffer.from([0x7b, 0x22, 0x6e, 0x61, 0x6d, 0x65, 0x22, 0x3a, 0x22, 0xc3, 0x28, 0x22, 0x7d])],
    ['UTF-16', Buffer.from('{"name":"a"}', 'utf16le')],
  ])('is refused as malformed: %s', async (_what, body) => {
    const { status, body: problem } = await toys.client.post(path, body)
    expect(status).toBe(400)
    expect(problem.type).toBe('urn:keelson:problem:malformed-body')
  })

  it('of 10 MB is refused without being read', async () => {
    const { status, body } = await toys.client.post(path, JSON.stringify({ name: 'a'.repeat(10_000_000) }))
    expect(status).toBe(413)
    expect(body.type).toBe('urn:keelson:problem:body-too-large')
  })

  it('of just under the limit is read', async () => {
    const { status } = await toys.client.post(path, { name: 'a', labels: { a: 'a'.repeat(1_000_000) } })
    expect(status).toBe(201)
  })

  it('with brackets and quotes in its strings is data', async () => {
    const name = '}]"\\{[ é 😀 __proto__'
    const { status, body } = await toys.client.post(path, { name, labels: { '"': ['{', { '\\': 1 }], 'a ': { a: 1 } } })
    expect(status).toBe(201)
    expect(body.name).toBe(name)
  })

  it.each([['text/plain'], ['application/x-www-form-urlencoded'], ['application/json; charset=latin1'], ['nonsense']])(
    'of %s is 415',
    async (contentType) => {
      const { status } = await toys.client.post(path, 'name=a', { headers: { 'content-type': contentType } })
      expect(status).toBe(415)
    },
  )

  it.each([['application/json'], ['application/json; charset=UTF-8'], ['Application/JSON']])(
    'of %s is read',
    async (contentType) => {
      const { status } = await toys.client.post(path, '{"name":"a"}', { headers: { 'content-type': contentType } })
      expect(status).toBe(201)
    },
  )

  it.each([
    ['limit=0', 'limit min'],
    ['limit=501', 'limit max'],
    ['limit=x', 'limit isInt'],
    ['limit=1&limit=2', 'limit isInt'],
    ['colour=green', 'colour isIn'],
    ['color=red', 'color unknownField'],
    ['sort=generation', 'sort sort'],
    ['sort=name,-name', 'sort sort'],
    ['sort=;drop', 'sort matches'],
    ['cursor=x', 'cursor cursor'],
  ])('in the query is refused as ?%s', async (query, fault) => {
    const { status, body } = await toys.client.get(`${path}?${query}`)
    expect(status).toBe(422)
    expect(fields(body)).toContain(fault)
  })

  it('that a route does not take is refused', async () => {
    const query = await toys.client.get('/health/live?verbose=1')
    expect(query.status).toBe(422)
    expect(fields(query.body)).toEqual(['verbose unknownField'])
    const reply = await fetch(`${toys.baseUrl}/api/v1/toys/00000000-0000-4000-8000-000000000000`, {
      method: 'DELETE',
      headers: { 'content-type': 'application/json' },
      body: '{"force":true}',
    })
    expect(reply.status).toBe(422)
  })

  it('in the path is a UUID where one is meant', async () => {
    const { status, body } = await toys.client.get('/api/v1/toys/cart')
    expect(status).toBe(422)
    expect(fields(body)).toEqual(['id isUuid'])
  })
})
