import { BenchProcess } from '../bench-process.js'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, BenchSetting, Figure } from '../figures.js'
import { Simulator } from '../simulator.js'
import { median, percentile, spreadOf } from '../statistics.js'
import type { Requested, RequestsOrder } from './client.js'
import { measureCreation } from './creation.js'
import { addBalancers, type Ground, makeNetwork } from './ground.js'
import { measureActive } from './until-active.js'

const full = { hosts: 50, rounds: 5, forMs: 5_000, some: 1_000, many: 10_000, creations: 200, sustainForMs: 10_000 }
const smoke = { hosts: 3, rounds: 1, forMs: 400, some: 50, many: 200, creations: 10, sustainForMs: 500 }
const CONNECTIONS = 16
const PAGE = 100

export const balancing: Bench = {
  name: 'balancing',
  meaning: 'load balancers: asking for them, reading them, and how soon they are ACTIVE on simulated hosts',
  async run(setting): Promise<Figure[]> {
    const size = setting.smoke ? smoke : full
    const ground = await groundOf(setting, size.hosts)
    const lists = await measureLists(ground, size)
    const active = await measureActive(ground, size)
    const posts = await measurePosts(ground, size)
    return [...(await measureCreation(setting)), ...posts, ...lists, ...active]
  },
}

async function groundOf(setting: BenchSetting, hosts: number): Promise<Ground> {
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const engine = await BenchEngine.start({ databaseUrl: database.url })
  setting.afterwards(() => engine.stop())
  const simulator = await Simulator.start(engine, database, hosts)
  setting.afterwards(() => simulator.stop())
  await simulator.connected()
  const client = new BenchProcess('bench/balancing/client.js')
  setting.afterwards(() => client.stop())
  return { engine, database, client, networkId: await makeNetwork(engine) }
}

type Size = typeof full

async function measurePosts({ engine, client, networkId }: Ground, { rounds, forMs }: Size): Promise<Figure[]> {
  const order = {
    ...reached(engine),
    method: 'POST' as const,
    paths: ['/load-balancers'],
    body: JSON.stringify({ name: '$n', vipNetworkId: networkId, provider: 'simulated' }),
    forMs,
  }
  const measured = await roundsOf(rounds, async (n) => {
    const before = await engine.cpuMicros()
    const { latencies, elapsedMs } = await client.ask<Requested>('requests', { ...order, prefix: `created${n}` })
    const micros = ((await engine.cpuMicros()) - before) / latencies.length
    return { perSecond: (latencies.length / elapsedMs) * 1_000, p99: percentile(latencies, 0.99), micros }
  })
  const [rates, p99] = [measured.map((r) => r.perSecond), measured.map((r) => r.p99)]
  const note = `${median(measured.map((r) => r.micros)).toFixed(0)} µs of engine CPU each, settling by the hosts among it`
  return [
    figure(`POST of a load balancer at ${CONNECTIONS} connections`, rates, '/s', { atLeast: 1_000 }, note),
    figure(`POST of a load balancer at ${CONNECTIONS} connections, p99`, p99, 'ms', { atMost: 50 }),
  ]
}

/** Before there are others: of as many as the list is promised for. */
async function measureLists(ground: Ground, { rounds, forMs, some, many }: Size): Promise<Figure[]> {
  const few = await addBalancers(ground, some)
  const fewRates = await pages(ground, rounds, forMs)
  const ids = [...few, ...(await addBalancers(ground, many - some))]
  const manyRates = await pages(ground, rounds, forMs)
  const order = { ...reached(ground.engine), method: 'GET' as const, forMs }
  const gets = await roundsOf(rounds, async (n) =>
    rateOf(
      await ground.client.ask<Requested>('requests', {
        ...order,
        paths: ids.slice(0, 1_000).map((id) => `/load-balancers/${id}`),
        prefix: `read${n}`,
      } satisfies RequestsOrder),
    ),
  )
  const ratio = median(manyRates) / median(fewRates)
  return [
    figure(`GET of a load balancer at ${CONNECTIONS} connections`, gets, '/s', { atLeast: 3_000 }),
    figure(`list of ${PAGE} among ${many} load balancers`, manyRates, '/s', { atLeast: 500 }),
    {
      bench: 'balancing',
      name: `list of ${PAGE} among ${many} load balancers, beside ${some}`,
      value: median(manyRates),
      unit: '/s',
      limit: { value: median(fewRates), what: `the same among ${some}` },
      ratio,
      // no slower, but for what two measurements differ by
      bound: { of: 'ratio', atLeast: 0.9 },
    },
  ]
}

const pages = ({ engine, client }: Ground, rounds: number, forMs: number): Promise<number[]> =>
  roundsOf(rounds, async (n) =>
    rateOf(
      await client.ask<Requested>('requests', {
        ...reached(engine),
        method: 'GET',
        paths: [`/load-balancers?limit=${PAGE}`],
        forMs,
        prefix: `listed${n}`,
      } satisfies RequestsOrder),
    ),
  )

const reached = ({ httpPort: port, token }: BenchEngine) => ({ port, token, connections: CONNECTIONS })

const rateOf = ({ latencies, elapsedMs }: Requested): number => (latencies.length / elapsedMs) * 1_000

/** The first warms up. */
async function roundsOf<T>(count: number, round: (n: number) => Promise<T>): Promise<T[]> {
  const all: T[] = []
  for (let n = 0; n <= count; n++) all.push(await round(n))
  return all.slice(1)
}

function figure(
  name: string,
  values: readonly number[],
  unit: string,
  bound: { readonly atLeast?: number; readonly atMost?: number },
  note?: string,
): Figure {
  return {
    bench: 'balancing',
    name,
    value: median(values),
    unit,
    spread: spreadOf(values),
    bound: { of: 'value', ...bound },
    ...(note === undefined ? {} : { note }),
  }
}
