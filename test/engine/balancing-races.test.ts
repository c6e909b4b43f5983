import { randomUUID } from 'node:crypto'
import pg from 'pg'
import type { WireAgent } from '../support/wire-agent.js'
import { type BalancingEngine, balancingAgent, gone, intentIn, startBalancingEngine } from './support/balancing.js'
import { waitingForLocks } from './support/locks.js'

let engine: BalancingEngine
let other: pg.Client

beforeAll(async () => {
  engine = await startBalancingEngine()
  other = new pg.Client({ connectionString: engine.databaseUrl })
  await other.connect()
})
afterAll(async () => {
  await other?.end()
  await engine?.stop()
})

const hosts: WireAgent[] = []
/** The only one that can take a balancer. */
async function onlyHost(): Promise<WireAgent> {
  for (const host of hosts.splice(0)) await gone(engine, host)
  const host = await balancingAgent(engine, `h-${randomUUID()}`)
  hosts.push(host)
  await create()
  await host.report(await host.command())
  return host
}

const create = (more: object = {}) =>
  engine.http.post('/api/v1/load-balancers', { name: `lb-${randomUUID()}`, vipNetworkId: engine.networkId, ...more })

/** What is asked for while somebody else's transaction has done this and is not over. */
async function createDuring(more: object, sql: string, values: unknown[]) {
  await other.query('BEGIN')
  await other.query(sql, values)
  const reply = create(more)
  try {
    await waitingForLocks(engine, 1)
  } finally {
    await other.query('COMMIT')
  }
  return reply
}

describe.each([
  ['with others', {}],
  ['by itself', { vipAddress: '192.0.2.77' }],
])('a load balancer that is made %s', (_, more) => {
  it('is on no host that leaves service at that moment', async () => {
    const host = await onlyHost()
    const leave = `UPDATE hosts SET status = 'Maintenance' WHERE id = $1`
    expect(await createDuring(more, leave, [host.hostId])).toMatchObject({
      status: 409,
      body: { type: 'urn:keelson:problem:no-room' },
    })
    await engine.query(`UPDATE hosts SET status = 'Up' WHERE id = $1`, [host.hostId])
  })

  it('tells its host of the network as it is by then', async () => {
    const host = await onlyHost()
    const change = 'UPDATE networks SET gateway = $2 WHERE id = $1'
    const gateway = `192.0.2.${'vipAddress' in more ? 253 : 254}`
    expect((await createDuring(more, change, [engine.networkId, gateway])).status).toBe(202)
    expect(intentIn(await host.command()).vip.network.gateway).toBe(gateway)
  })
})
