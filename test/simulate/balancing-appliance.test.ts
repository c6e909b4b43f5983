import 'reflect-metadata'
import { startTestEngine, type TestEngine } from '../support/engine.js'
import { eventually } from '../support/eventually.js'
import type { Body } from '../support/http.js'
import { simulate } from './support/simulation.js'

const PATIENCE = { timeoutMs: 60_000, intervalMs: 100 }
const APPLIANCE = 'edge-1'

let engine: TestEngine

beforeAll(async () => {
  engine = await startTestEngine()
})
afterAll(() => engine?.stop())

const get = async (path: string): Promise<Body> => (await engine.http.get(`/api/v1/${path}`)).body
const settled = (id: string, hostId: RegExp | string): Promise<Body> =>
  eventually(async () => {
    const balancer = await get(`load-balancers/${id}`)
    expect(balancer).toMatchObject({ provisioningStatus: 'ACTIVE', operatingStatus: 'ONLINE' })
    expect(balancer.hostId).toMatch(hostId)
    return balancer
  }, PATIENCE)

describe('an appliance that several simulated hosts reach', () => {
  it('is taken over at once when the one in charge dies, and refuses that one when it is back', async () => {
    // nothing but the appliance can take a balancer here
    await engine.http.put('/api/v1/settings/balancing.moveGraceMs', { value: 3_600_000 })
    const overrides = { hosts: 3, joinToken: await engine.joinToken() }
    const simulation = await simulate(engine.tcp, {}, { ...overrides, appliances: [{ name: APPLIANCE, hosts: '*' }] })
    const up = (count: number) =>
      eventually(async () => expect((await get('hosts?status=Up')).items).toHaveLength(count), PATIENCE)
    await up(3)
    await engine.query(`UPDATE hosts SET capabilities = array_remove(capabilities, 'balancing:simulated')`)
    const network = await engine.http.post('/api/v1/networks', { name: 'public', cidr: '192.0.2.0/24' })
    const wanted = {
      vipNetworkId: network.body.id,
      provider: 'simulated',
      listeners: [{ protocol: 'HTTP', protocolPort: 80 }],
    }
    const ids: string[] = []
    for (let n = 0; n < 4; n++)
      ids.push((await engine.http.post('/api/v1/load-balancers', { name: `lb-${n}`, ...wanted })).body.id)
    const [first] = await Promise.all(ids.map((id) => settled(id, /./)))
    const before: string = first!.hostId
    for (const id of ids) await settled(id, before)
    const { name } = await get(`hosts/${before}`)
    const inCharge = simulation.hosts.find((host) => host.name === name)!
    const epochs = () =>
      engine.query<{ epoch: number }>('SELECT epoch::int FROM balancing_devices WHERE name = $1', [APPLIANCE])
    expect(await epochs()).toEqual([{ epoch: 1 }])

    inCharge.kill()
    const after = (
      await eventually(async () => {
        const balancer = await get(`load-balancers/${ids[0]}`)
        expect(balancer.hostId).not.toBe(before)
        return balancer
      }, PATIENCE)
    ).hostId
    for (const id of ids) await settled(id, after)
    expect(await epochs()).toEqual([{ epoch: 2 }])

    await inCharge.start()
    await up(3)
    // it looks at what it held there, is refused, and leaves it alone
    for (const id of ids) await settled(id, after)
    const changed = await engine.http.patch(`/api/v1/load-balancers/${ids[0]}`, { description: 'by the new one' })
    expect(changed.status).toBe(202)
    expect(await settled(ids[0]!, after)).toMatchObject({ description: 'by the new one' })
  })
})
