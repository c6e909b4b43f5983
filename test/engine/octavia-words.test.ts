import type { Body } from '../support/http.js'
import { NOBODY, type OctaviaWorld, octaviaWorld } from './support/octavia-world.js'

let world: OctaviaWorld
let lb: Body
let pool: Body

beforeAll(async () => {
  world = await octaviaWorld()
  lb = await world.balancer()
  pool = await world.create('pools', {
    pool: { loadbalancer_id: lb.id, protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' },
  })
})
afterAll(() => world?.stop())

const of = (field: string, words: string) => `Invalid input for field/attribute ${field}. ${words}.`
const missing = (...fields: string[]) => fields.map((field) => of(field, 'Mandatory field missing')).join(' ')

/** A client shows nothing but this of what is wrong. */
describe('what is wrong on the Octavia API is told', () => {
  const cases: readonly (readonly [string, () => object, string])[] = [
    ['listeners', () => ({ listener: { loadbalancer_id: lb.id } }), missing('protocol', 'protocol_port')],
    ['listeners', () => ({ listener: { protocol: 'HTTP', protocol_port: 80 } }), missing('loadbalancer_id')],
    ['pools', () => ({ pool: { loadbalancer_id: lb.id } }), missing('protocol', 'lb_algorithm')],
    [
      'pools',
      () => ({ pool: { protocol: 'HTTP', lb_algorithm: 'ROUND_ROBIN' } }),
      missing('listener_id or loadbalancer_id'),
    ],
    [
      'healthmonitors',
      () => ({ healthmonitor: { pool_id: pool.id, type: 'TCP' } }),
      missing('delay', 'timeout', 'max_retries'),
    ],
    ['l7policies', () => ({ l7policy: { listener_id: NOBODY } }), missing('action')],
    ['members', () => ({ member: { name: 'a', address: null } }), missing('address', 'protocol_port')],
    ['flavors', () => ({ flavor: { name: null } }), missing('name', 'flavor_profile_id')],
    [
      'loadbalancers',
      () => ({ loadbalancer: { vip_subnet_id: NOBODY, listeners: [{ protocol: 'HTTP' }] } }),
      missing('listeners[0].protocol_port'),
    ],
    [
      'listeners',
      () => ({ listener: { loadbalancer_id: lb.id, protocol: 'HTTP', protocol_port: 0 } }),
      of('protocol_port', 'protocol_port must not be less than 1'),
    ],
    [
      'listeners',
      () => ({ listener: { loadbalancer_id: 'none', protocol: 'HTTP', protocol_port: 80 } }),
      of('loadbalancer_id', 'Value: "none". It is of another type'),
    ],
    [
      'listeners',
      () => ({ listener: { loadbalancer_id: lb.id, protocol: 'TERMINATED_HTTPS', protocol_port: 443 } }),
      of('default_tls_container_ref', 'a listener of protocol TERMINATED_HTTPS needs a certificate'),
    ],
    [
      'listeners',
      () => ({ listener: { loadbalancer_id: NOBODY, protocol: 'HTTP', protocol_port: 80 } }),
      `Load Balancer ${NOBODY} not found.`,
    ],
  ]

  it.each(cases)('of %s in the words of its clients', async (many, body, words) => {
    const { status, body: fault } = await world.client.post(
      many === 'members' ? `pools/${pool.id}/members` : many,
      body(),
    )
    expect(fault.faultstring).toBe(words)
    expect(status).toBe(words.endsWith('not found.') ? 404 : 400)
  })
})
