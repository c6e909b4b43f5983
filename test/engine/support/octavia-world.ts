import { startTestEngine, type TestEngine } from '../../support/engine.js'
import { eventually } from '../../support/eventually.js'
import type { Body } from '../../support/http.js'
import { type AnsweringHost, answeringHost } from './answering-host.js'
import { type OctaviaClient, octavia, withToken } from './octavia.js'

/** What every error of the face is. */
export const FAULT = { faultcode: 'Client', faultstring: expect.any(String), debuginfo: null }
export const NOBODY = '00000000-0000-4000-8000-00000000dead'
export const TIME = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d$/
export const UUID = /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/

export interface OctaviaWorld {
  readonly engine: TestEngine
  /** An administrator of the plane. */
  readonly client: OctaviaClient
  readonly host: AnsweringHost
  /** Of the one network that there is. */
  readonly subnet: string
  /** @throws when it is not made */
  create(where: string, body: Body): Promise<Body>
  /** A balancer that can do everything, unless its provider is said. */
  balancer(body?: object): Promise<Body>
  becomesActive(where: string): Promise<Body>
  stop(): Promise<void>
}

/** An engine with a network, and a host that does at once whatever it is asked. */
export async function octaviaWorld(): Promise<OctaviaWorld> {
  const engine = await startTestEngine()
  const client = octavia(engine.url, withToken(engine.token))
  const { body } = await engine.http.post('/api/v1/networks', { name: 'public', cidr: '10.20.0.0/16' })
  const host = await answeringHost(engine, 'b1', ['haproxy', 'simulated'])
  const create = async (where: string, wanted: Body): Promise<Body> => {
    const reply = await client.post(where, wanted)
    if (reply.status !== 201) throw new Error(`${where}: ${reply.status} ${JSON.stringify(reply.body)}`)
    return Object.values(reply.body)[0] as Body
  }
  return {
    engine,
    client,
    host,
    subnet: body.id,
    create,
    balancer: (more = {}) =>
      create('loadbalancers', { loadbalancer: { vip_subnet_id: body.id, provider: 'simulated', ...more } }),
    becomesActive: (where) =>
      eventually(async () => {
        const [found] = Object.values<Body>((await client.get(where)).body)
        expect(found.provisioning_status).toBe('ACTIVE')
        return found
      }),
    stop: async () => {
      host.stop()
      await engine.stop()
    },
  }
}
