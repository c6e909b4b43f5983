import { startTestEngine, type TestEngine } from '../support/engine.js'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine.stop())

const put = (key: string, value: number) => engine.http.put(`/api/v1/settings/${key}`, { value })

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
