import { BenchProcess } from '../bench-process.js'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, Figure } from '../figures.js'
import { median, percentile, spreadOf } from '../statistics.js'
import type { BareServerOrder } from './bare-server.js'
import type { Puts, PutsOrder } from './client.js'
import type { Latency, LatencyOrder } from './hosts-process.js'
import { startLoad } from './load.js'

const CONNECTIONS = 16
const full = { hosts: 50, rounds: 5, forMs: 5_000, latencies: 300 }
const smoke = { hosts: 5, rounds: 1, forMs: 500, latencies: 20 }

interface Rest {
  readonly engine: BenchEngine
  readonly rounds: number
}

export const rest: Bench = {
  name: 'rest',
  meaning: 'asking for storage connections over REST, and how soon an agent has the command',
  async run(setting): Promise<Figure[]> {
    const { hosts, rounds, forMs, latencies } = setting.smoke ? smoke : full
    const database = await BenchDatabase.create(setting.postgresUrl)
    setting.afterwards(() => database.drop())
    const engine = await BenchEngine.start({ databaseUrl: database.url })
    setting.afterwards(() => engine.stop())
    const host = new BenchProcess('bench/rest/hosts-process.js')
    setting.afterwards(() => host.stop())
    const latency = await measureLatency({ engine, rounds }, host, latencies)
    await host.stop()
    const { client, order } = await startLoad(setting, engine, database, { hosts, connections: CONNECTIONS, forMs })
    const bare = new BenchProcess('bench/rest/bare-server.js')
    setting.afterwards(() => bare.stop())
    const bareOrder: BareServerOrder = { url: database.url, connections: CONNECTIONS }
    const barePort = await bare.ask<number>('open', bareOrder)
    return [...(await measurePuts({ engine, rounds }, client, order, barePort)), ...latency]
  },
}

async function measurePuts(
  { engine, rounds: count }: Rest,
  client: BenchProcess,
  order: Omit<PutsOrder, 'prefix'>,
  barePort: number,
): Promise<Figure[]> {
  const rounds: { p99: number; p50: number; perSecond: number; micros: number; bareP99: number }[] = []
  for (let i = 0; i <= count; i++) {
    const before = await engine.cpuMicros()
    const asked: PutsOrder = { ...order, prefix: `round${i}` }
    const { latencies, elapsedMs } = await client.ask<Puts>('puts', asked)
    const micros = ((await engine.cpuMicros()) - before) / latencies.length
    const perSecond = (latencies.length / elapsedMs) * 1_000
    const bare = await client.ask<Puts>('puts', { ...asked, port: barePort })
    const [p99, bareP99] = [percentile(latencies, 0.99), percentile(bare.latencies, 0.99)]
    // the first warms up
    if (i > 0) rounds.push({ p99, p50: median(latencies), perSecond, micros, bareP99 })
  }
  const p99 = rounds.map((r) => r.p99)
  const of = (which: 'p50' | 'perSecond' | 'micros' | 'bareP99') => median(rounds.map((r) => r[which]))
  return [
    {
      bench: 'rest',
      name: `PUT of a storage connection, p99 at ${CONNECTIONS} connections`,
      value: median(p99),
      unit: 'ms',
      spread: spreadOf(p99),
      limit: { value: of('bareP99'), what: 'p99 of a bare node:http server that commits a row for each' },
      ratio: median(rounds.map((r) => r.p99 / r.bareP99)),
      bound: { of: 'value', atMost: 50 },
      note: `as fast as replies come: ${of('perSecond').toFixed(0)}/s, p50 ${of('p50').toFixed(0)} ms, ${of('micros').toFixed(0)} µs of engine CPU each, settling by ${order.hostIds.length} simulated hosts among it`,
    },
  ]
}

async function measureLatency({ engine, rounds: count }: Rest, host: BenchProcess, each: number): Promise<Figure[]> {
  const hostId = await host.ask<string>('connect', { tcpPort: engine.tcpPort, joinToken: await engine.joinToken() })
  const rounds: Latency[][] = []
  for (let i = 0; i <= count; i++) {
    const order: LatencyOrder = {
      httpPort: engine.httpPort,
      token: engine.token,
      hostId,
      count: each,
      prefix: `latency${i}`,
    }
    const measured = await host.ask<Latency[]>('latencies', order)
    if (i > 0) rounds.push(measured)
  }
  const p50 = rounds.map((round) => median(round.map((l) => l.toAgentMs)))
  const all = rounds.flat()
  return [
    {
      bench: 'rest',
      name: 'from the request to the agent, p50',
      value: median(p50),
      unit: 'ms',
      spread: spreadOf(p50),
      bound: { of: 'value', atMost: 10 },
      note: `one at a time; p99 ${percentile(
        all.map((l) => l.toAgentMs),
        0.99,
      ).toFixed(1)} ms; the reply after ${median(all.map((l) => l.toReplyMs)).toFixed(1)} ms`,
    },
  ]
}
