import 'reflect-metadata'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { simulate } from './support/simulation.js'

const PATIENCE = { timeoutMs: 30_000, intervalMs: 100 }
const HOSTS = 2
const balancers = '/api/v1/load-balancers'

let engine: TestEngine
let vipNetworkId: string
let simulation: Awaited<ReturnType<typeof simulate>>

beforeAll(async () => {
  engine = await startTestEngine()
  vipNetworkId = (await engine.http.post('/api/v1/networks', { name: 'public', cidr: '192.0.2.0/24' })).body.id
  const overrides = { hosts: HOSTS, namePrefix: 'sim-', joinToken: await engine.joinToken(), commandLog: null }
  simulation = await simulate(engine.tcp, {}, overrides)
  await eventually(async () => {
    const { body } = await engine.http.get('/api/v1/hosts?status=Up')
    expect(body.items).toHaveLength(HOSTS)
  }, PATIENCE)
})
afterAll(async () => {
  await simulation?.stop()
  await engine?.stop()
})

const listeners = [
  {
    protocol: 'HTTP',
    protocolPort: 80,
    defaultPool: {
      name: 'web',
      protocol: 'HTTP',
      lbAlgorithm: 'ROUND_ROBIN',
      members: [{ address: '10.0.0.1', protocolPort: 8080 }],
    },
  },
]

async function until(id: string, expected: object): Promise<Body> {
  return eventually(async () => {
    const { body } = await engine.http.get(`${balancers}/${id}`)
    expect(body).toMatchObject(expected)
    return body
  }, PATIENCE)
}

describe('a real engine and simulated hosts', () => {
  it('make load balancers whole, show what is seen of them, and let them go', async () => {
    const replies = await Promise.all(
      Array.from({ length: 6 }, (_, i) =>
        engine.http.post(balancers, { name: `lb-${i}`, vipNetworkId, provider: 'simulated', listeners }),
      ),
    )
    expect(replies.map(({ status }) => status)).toEqual(replies.map(() => 202))
    const ids: string[] = replies.map(({ body }) => body.id)
    const made: Body[] = []
    for (const id of ids) made.push(await until(id, { provisioningStatus: 'ACTIVE', operatingStatus: 'ONLINE' }))
    const [row] = await engine.query<{ hosts: number }>(
      'SELECT count(DISTINCT host_id)::int AS hosts FROM load_balancers',
    )
    expect(row).toEqual({ hosts: HOSTS })

    const description = 'changed'
    const changed = await engine.http.patch(
      `${balancers}/${ids[0]}`,
      { description },
      { headers: { prefer: 'wait=10' } },
    )
    expect(changed.body).toMatchObject({ description, provisioningStatus: 'ACTIVE', generation: 2 })

    for (const id of ids) expect((await engine.http.delete(`${balancers}/${id}?cascade=true`)).status).toBe(202)
    for (const id of ids)
      await eventually(async () => expect((await engine.http.get(`${balancers}/${id}`)).status).toBe(404), PATIENCE)
    const [held] = await engine.query('SELECT count(*)::int AS n FROM network_addresses WHERE holder_id IS NOT NULL')
    expect(held).toEqual({ n: 0 })
  })
})
