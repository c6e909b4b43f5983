import { BenchProcess, cpuMicros } from '../bench-process.js'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, BenchSetting, Figure } from '../figures.js'
import { median, spreadOf } from '../statistics.js'
import type { RoundTripOrder, RoundTrips } from './client.js'
import type { Echo } from './echo-server.js'

const full = { rounds: 7, warmUpMs: 500, measureMs: 2_000 }
const smoke = { rounds: 1, warmUpMs: 50, measureMs: 200 }

interface Side {
  readonly perSecond: number
  readonly serverMicros: number
}

interface Round {
  readonly engine: Side
  readonly echo: Side
}

/** One server as a round needs it: where it listens, and what it has cost. */
interface Measured {
  readonly port: number
  readonly to: RoundTripOrder['to']
  cpuMicros(): Promise<number>
}

export const rpc: Bench = {
  name: 'rpc',
  meaning: 'round trips of heartbeats on open sessions, against an echo server on bare TLS sockets',
  async run(setting) {
    const database = await BenchDatabase.create(setting.postgresUrl)
    setting.afterwards(() => database.drop())
    const engine = await BenchEngine.start({ databaseUrl: database.url })
    setting.afterwards(() => engine.stop())
    const echo = new BenchProcess('bench/rpc/echo-server.js')
    setting.afterwards(() => echo.stop())
    const client = new BenchProcess('bench/rpc/client.js')
    setting.afterwards(() => client.stop())
    // as fast as they come is what is measured
    await engine.set('sessions.messagesPerSecond', 1_000_000)
    const joinToken = await engine.joinToken()
    const { port: echoPort, authority } = await echo.ask<Echo>('listen')
    const sides = {
      engine: { port: engine.tcpPort, to: { joinToken }, cpuMicros: () => engine.cpuMicros() },
      echo: {
        port: echoPort,
        to: { authority },
        cpuMicros: async () => cpuMicros(await echo.ask<NodeJS.CpuUsage>('cpu')),
      },
    }
    const figures: Figure[] = []
    for (const connections of [1, 100]) figures.push(await compare(client, sides, connections, setting))
    return figures
  },
}

/** In turns, so that whatever else the machine does meets both. */
async function compare(
  client: BenchProcess,
  { engine, echo }: { engine: Measured; echo: Measured },
  connections: number,
  setting: BenchSetting,
): Promise<Figure> {
  const { rounds: count, ...times } = setting.smoke ? smoke : full
  const rounds: Round[] = []
  // the first round warms both up
  for (let i = 0; i <= count; i++) {
    const round = {
      engine: await measure(client, engine, { connections, ...times }),
      echo: await measure(client, echo, { connections, ...times }),
    }
    if (i > 0) rounds.push(round)
  }
  const perSecond = rounds.map((r) => r.engine.perSecond)
  const micros = (side: (r: Round) => Side) => median(rounds.map((r) => side(r).serverMicros)).toFixed(0)
  return {
    bench: 'rpc',
    name: `round trips, ${connections} ${connections === 1 ? 'connection' : 'connections'}`,
    value: median(perSecond),
    unit: '/s',
    spread: spreadOf(perSecond),
    limit: {
      value: median(rounds.map((r) => r.echo.perSecond)),
      what: 'an echo of the same frames on a bare TLS socket',
    },
    ratio: median(rounds.map((r) => r.engine.perSecond / r.echo.perSecond)),
    bound: { of: 'ratio', atLeast: 0.5 },
    note: `server CPU ${micros((r) => r.engine)} µs a message, echo ${micros((r) => r.echo)} µs`,
  }
}

async function measure(
  client: BenchProcess,
  server: Measured,
  order: Pick<RoundTripOrder, 'connections' | 'warmUpMs' | 'measureMs'>,
): Promise<Side> {
  const before = await server.cpuMicros()
  const { port, to } = server
  const asked: RoundTripOrder = { port, to, ...order }
  const { count, elapsedMs, total } = await client.ask<RoundTrips>('roundTrips', asked)
  if (count === 0) throw new Error(`no round trip to port ${port}`)
  const spent = (await server.cpuMicros()) - before
  return { perSecond: (count / elapsedMs) * 1_000, serverMicros: spent / total }
}
