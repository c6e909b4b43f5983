import { type ExplainedRequest, explain } from '../../src/engine/balancing/explain.js'
import { renderIntent } from '../../src/engine/balancing/intent.js'
import type { Tree } from '../../src/engine/balancing/tree.js'
import type { LoadBalancerIntent } from '../../src/wire/balancing/intent.js'
import { balancerOf, memberOf } from '../engine/support/imagined-tree.js'
import { dice, headersOf, type RandomRequest, randomRequest, randomTree } from '../engine/support/random-requests.js'
import { HaproxyBench } from './support/haproxy-bench.js'
import { describeWith } from './support/needs.js'
import { get, Web } from './support/web.js'

const VIP = '127.0.92.1'
const FIRST_PORT = 8_500
const BALANCERS = 20
const REQUESTS_EACH = 25

describeWith(['haproxy'], 'an explanation', () => {
  const bench = new HaproxyBench()
  let webs: Web[]

  beforeAll(async () => {
    webs = await Promise.all([0, 1, 2, 3].map((n) => Web.start(`pool-${n}`, `127.0.92.${10 + n}`)))
  })
  afterAll(async () => {
    await bench.end()
    for (const web of webs) await web.stop()
  })

  it('of 500 random requests through haproxy names the pool that answers, or what is answered instead', async () => {
    const seed = Date.now() % 1_000_000
    const d = dice(seed)
    for (let n = 0; n < BALANCERS; n++) {
      const tree = answering(randomTree(d, FIRST_PORT + n))
      await bench.apply(intentOf(tree))
      for (let m = 0; m < REQUESTS_EACH; m++) {
        const request = randomRequest(d)
        const at = { seed, n, m, request }
        expect({ ...at, said: await answerTo(request, FIRST_PORT + n) }).toEqual({
          ...at,
          said: predicted(tree, request),
        })
      }
    }
  }, 180_000)

  /** Each pool has one member, which tells its name. */
  const answering = (tree: Tree): Tree => ({
    ...tree,
    loadBalancer: balancerOf({ vipAddress: VIP, provider: 'haproxy' }),
    members: tree.pools.map(({ id }, index) =>
      memberOf(id, { address: webs[index]!.address, protocolPort: webs[index]!.port }),
    ),
  })

  function predicted(tree: Tree, request: RandomRequest): string {
    const { method, host, path } = request
    const asked: ExplainedRequest = {
      ...{ listenerId: tree.listeners[0]!.id, port: null, scheme: 'http' },
      ...{ method, host, path, headers: headersOf(request) },
    }
    const { type, poolId, status, location } = explain(tree, asked).outcome
    if (type === 'pool') return `200 pool-${tree.pools.findIndex(({ id }) => id === poolId)}`
    return [status, location].filter((one) => one !== null).join(' ')
  }

  async function answerTo(request: RandomRequest, port: number): Promise<string> {
    const { method, host, path } = request
    const headers: Record<string, string> = { host }
    for (const [name, [value]] of headersOf(request)) headers[name] = value!
    const answer = await get({ host: VIP, port, path, method, headers })
    const more = answer.headers['x-member'] ?? answer.headers.location
    return [answer.status, more].filter((one) => one !== undefined).join(' ')
  }
})

function intentOf(tree: Tree): LoadBalancerIntent {
  const network = {
    id: 'own',
    cidr: '127.0.92.0/24',
    gateway: null,
    bridge: null,
    createBridge: false,
    uplink: null,
    vlan: null,
    hostIsGateway: false,
  }
  return renderIntent(tree, { network, certificates: [] })
}
