import { randomUUID } from 'node:crypto'
import { createListener } from '../../src/engine/balancing/edits/listeners.js'
import { createPool } from '../../src/engine/balancing/edits/pools.js'
import type { Tree } from '../../src/engine/balancing/tree.js'
import { WireAgent } from '../support/wire-agent.js'
import {
  administrator,
  type BalancingEngine,
  balancingAgent,
  intentIn,
  startBalancingEngine,
} from './support/balancing.js'

let engine: BalancingEngine
let agent: WireAgent
let tree: Tree
const pool = randomUUID()

beforeAll(async () => {
  engine = await startBalancingEngine()
  await engine.http.put('/api/v1/settings/sessions.silenceMs', { value: 300_000 })
  agent = await balancingAgent(engine, 'p1')
  const listener = createListener({ protocol: 'HTTP', protocolPort: 80 })
  const withPool = createPool({ id: pool, protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' })
  const made = await engine.make({ build: (empty) => withPool(listener(empty)) })
  await agent.report(await agent.command(), { result: {} })
  tree = await engine.balancers.require(administrator, made.loadBalancer.id)
})
afterAll(async () => {
  agent?.vanish()
  await engine?.stop()
})

const plan = (body: object, id = tree.loadBalancer.id) => engine.http.post(`/api/v1/load-balancers/${id}/plan`, body)
const edits = (...given: object[]) => ({ edits: given })

describe('a plan', () => {
  it('shows what the device says and what would differ, and changes nothing', async () => {
    const member = { address: '10.0.0.1', protocolPort: 80 }
    const listenerId = tree.listeners[0]!.id
    const asked = plan({
      name: 'planned',
      ...edits(
        { method: 'POST', path: `/api/v1/pools/${pool}/members`, body: member },
        { method: 'PATCH', path: `/listeners/${listenerId}`, body: { defaultPoolId: pool } },
      ),
    })
    const command = await agent.command()
    expect(command).toMatchObject({ kind: 'balancing.check', subject: expect.stringMatching(/^load-balancer-plan\//) })
    expect(intentIn(command)).toMatchObject({
      name: 'planned',
      listeners: [{ id: listenerId, defaultPoolId: pool }],
      pools: [{ id: pool, members: [{ address: '10.0.0.1' }] }],
    })
    const result = { accepted: false, words: 'no such thing', current: 'a\nb\n', planned: 'a\nc\n' }
    await agent.report(command, { result })
    expect(await asked).toMatchObject({ status: 200, body: { accepted: false, words: 'no such thing' } })
    expect((await asked).body.diff).toMatch(/^-b\n\+c$/m)
    expect(await engine.balancers.require(administrator, tree.loadBalancer.id)).toEqual(tree)
  })

  it('finds by its id what an edit before has made', async () => {
    const id = randomUUID()
    const made = { method: 'POST', path: '/pools', id, body: { protocol: 'HTTP', lbAlgorithm: 'ROUND_ROBIN' } }
    const filled = {
      method: 'PUT',
      path: `/pools/${id}/members`,
      body: { members: [{ address: '10.0.0.2', protocolPort: 1 }] },
    }
    const asked = plan(edits(made, filled))
    const command = await agent.command()
    expect(intentIn(command).pools.find((one) => one.id === id)?.members).toMatchObject([{ address: '10.0.0.2' }])
    await agent.report(command, { result: { accepted: true, words: '', current: null, planned: 'x\n' } })
    expect((await asked).body).toMatchObject({ accepted: true, diff: expect.stringContaining('+x') })
  })

  it.each([
    ['a call that changes nothing of it', { method: 'POST', path: '/api/v1/hosts' }, 422, 'edits[0].path'],
    [
      'a body that cannot be right',
      { method: 'POST', path: '/listeners', body: { protocolPort: 80, protocol: 'FTP' } },
      422,
      'edits[0].body.protocol',
    ],
    [
      'another balancer’s',
      {
        method: 'POST',
        path: '/listeners',
        body: { loadBalancerId: randomUUID(), protocolPort: 81, protocol: 'HTTP' },
      },
      422,
      'edits[0].body.loadBalancerId',
    ],
    ['what is not there', { method: 'DELETE', path: `/pools/${randomUUID()}` }, 404, undefined],
    [
      'a port that is taken',
      { method: 'POST', path: '/listeners', body: { protocol: 'HTTP', protocolPort: 80 } },
      409,
      undefined,
    ],
  ])('is refused for %s, before any host hears of it', async (_what, edit, status, field) => {
    const heard = agent.commands.length
    const reply = await plan(edits(edit))
    expect(reply.status).toBe(status)
    expect(reply.body.faults?.[0]?.field).toBe(field)
    expect(agent.commands).toHaveLength(heard)
  })

  it('says so when the host could judge nothing', async () => {
    const asked = plan({ name: 'x' })
    const fault = { type: 'failed', message: 'no haproxy here' }
    await agent.report(await agent.command(), { state: 'failed', result: undefined, fault })
    expect(await asked).toMatchObject({ status: 503, body: { detail: expect.stringContaining('no haproxy here') } })
  })
})
