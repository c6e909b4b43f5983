import { startTestEngine, type TestEngine } from '../support/engine.js'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

const put = (key: string, value: unknown) => engine.http.put(`/api/v1/settings/${key}`, { value })

describe('the silence after which a host is lost', () => {
  it('is never less than three heartbeats, whichever of the two is changed', async () => {
    expect(await put('sessions.silenceMs', 14_999)).toMatchObject({
      status: 422,
      body: {
        faults: [{ field: 'value', message: 'must be at least 3 times sessions.heartbeatMs, which is 5000' }],
      },
    })
    expect(await put('sessions.heartbeatMs', 5_001)).toMatchObject({
      status: 422,
      body: {
        faults: [{ field: 'value', message: expect.stringMatching(/^sessions.silenceMs must be at least 3 times/) }],
      },
    })
    expect((await engine.http.get('/api/v1/settings/sessions.heartbeatMs')).body.value).toBe(5_000)
  })

  it('may be changed with the heartbeat, in the order that keeps both right', async () => {
    expect((await put('sessions.silenceMs', 30_000)).status).toBe(200)
    expect((await put('sessions.heartbeatMs', 10_000)).status).toBe(200)
    expect((await put('sessions.silenceMs', 15_000)).status).toBe(422)
    expect((await put('sessions.heartbeatMs', 5_000)).status).toBe(200)
    expect((await put('sessions.silenceMs', 15_000)).status).toBe(200)
  })

  it('holds also when both are changed at once', async () => {
    await Promise.all([put('sessions.heartbeatMs', 200), put('sessions.silenceMs', 15_000)])
    const replies = await Promise.all([put('sessions.heartbeatMs', 5_000), put('sessions.silenceMs', 1_000)])
    expect(new Set(replies.map(({ status }) => status))).toEqual(new Set([200, 422]))
  })
})

describe('where the engine may call', () => {
  const key = 'outbound.networks'

  it('is a list, kept as it is compared, and shown as it is kept', async () => {
    expect((await engine.http.get(`/api/v1/settings/${key}`)).body).toMatchObject({
      value: ['public'],
      default: ['public'],
      min: null,
    })
    const { status, body } = await put(key, ['public', '10.0.0.0/8', 'FD00::/8', '192.0.2.1', '10.0.0.0/8'])
    expect(status).toBe(200)
    expect(body.value).toEqual(['public', '10.0.0.0/8', 'fd00::/8', '192.0.2.1/32'])
    const { items } = (await engine.http.get('/api/v1/settings')).body
    expect(items.find((item: { key: string }) => item.key === key)).toMatchObject({ value: body.value, generation: 1 })
  })

  it('may be nowhere', async () => {
    expect((await put(key, [])).body.value).toEqual([])
  })

  it.each([
    ['a number', 5],
    ['a name', ['example.com']],
    ['a range with bits beyond its prefix', ['10.0.0.1/8']],
    ['more than 64 ranges', Array.from({ length: 65 }, (_, index) => `10.0.${index}.0/24`)],
    ['a list in a list', [['10.0.0.0/8']]],
    ['a text', '10.0.0.0/8'],
    ['nothing', null],
  ])('is not %s', async (_, value) => {
    expect(await put(key, value)).toMatchObject({ status: 422, body: { faults: [{ field: 'value' }] } })
  })

  it('is no list where a number is meant', async () => {
    expect(await put('sessions.heartbeatMs', ['5000'])).toMatchObject({ status: 422 })
  })
})
