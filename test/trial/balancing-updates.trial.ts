import { eventually } from '../support/eventually.js'
import { Figures } from './support/figures.js'
import { Ground } from './support/ground.js'
import { Plane } from './support/plane.js'
import type { Body, Reply } from './support/rest.js'
import { scaled } from './support/scale.js'
import { Simulation } from './support/simulation.js'

const ROUNDS = scaled(1_000, 60)

const figures = new Figures('two updates of a load balancer at once')
const ground = new Ground()
let plane: Plane
let simulation: Simulation
let balancer: Body

beforeAll(async () => {
  plane = await Plane.start(ground)
  simulation = new Simulation(ground, plane, 2)
  await simulation.hostsUp(plane)
  const network = await plane.rest.send('POST', '/api/v1/networks', { name: 'vips', cidr: '127.78.0.0/24' })
  const { status, body } = await plane.rest.send(
    'POST',
    '/api/v1/load-balancers',
    { name: 'contested', vipNetworkId: network.body.id, provider: 'simulated' },
    { prefer: 'wait=30' },
  )
  if (status !== 202) throw new Error(`no load balancer: ${status} ${JSON.stringify(body)}`)
  balancer = body
})

afterAll(async () => {
  figures.print()
  await simulation?.stop()
  await plane?.stop()
  ground.clear()
})

describe('two updates of a load balancer at once', () => {
  it('end in one of the two, never in a mixture, and the loser is told', async () => {
    const path = `/api/v1/load-balancers/${balancer.id}`
    const outcomes = new Map<string, number>()
    for (let round = 0; round < ROUNDS; round += 1) {
      const wanted = ['left', 'right'].map((side) => ({ name: `${side}-${round}`, description: `${side}-${round}` }))
      const replies = await Promise.all(wanted.map((body) => plane.rest.send('PATCH', path, body)))
      const row = await eventually(
        async () => {
          const { body } = await plane.rest.get(path)
          expect(body.provisioningStatus).toBe('ACTIVE')
          return body
        },
        { intervalMs: 5 },
      )
      // the loser met what was pending; where both went through, one came after the other, and the later one holds
      const taken = replies.filter(({ status }) => status === 202)
      expect(taken.length).toBeGreaterThan(0)
      expect(
        replies.filter(({ status }) => status !== 202).map(({ status, body }) => `${status} ${body.type}`),
      ).toEqual(replies.filter(({ status }) => status !== 202).map(() => expect.stringMatching(/^409 .*pending$/)))
      expect(row.name).toBe(row.description)
      expect(taken.map(({ body }: Reply) => body.name)).toContain(row.name)
      const outcome = taken.length === 2 ? 'one after the other' : 'one refused'
      outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1)
    }
    figures.add('rounds', ROUNDS)
    for (const [outcome, count] of outcomes) figures.add(`  ${outcome}`, count)
  })
})
