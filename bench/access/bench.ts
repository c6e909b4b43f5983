import { pathToFileURL } from 'node:url'
import { fromDist } from '../bench-process.js'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, BenchSetting, Figure } from '../figures.js'
import type { Puts } from '../rest/client.js'
import { startLoad } from '../rest/load.js'
import { median, spreadOf } from '../statistics.js'

const CONNECTIONS = 4
const full = { hosts: 20, rounds: 7, forMs: 4_000 }
const smoke = { hosts: 2, rounds: 1, forMs: 500 }

/** An engine under load, as it is or without what is measured. */
interface Side {
  /** @returns milliseconds and the engine's CPU in microseconds, for each request */
  readonly round: (prefix: string) => Promise<{ ms: number; micros: number }>
}

export const access: Bench = {
  name: 'access',
  meaning: 'what authorization, limits and audit cost a changing request, against an engine without them',
  async run(setting): Promise<Figure[]> {
    const { rounds: count } = setting.smoke ? smoke : full
    const withAll = await startSide(setting, [])
    const without = await startSide(setting, ['--import', pathToFileURL(fromDist('bench/access/without.js')).href])
    const rounds: { ms: number; micros: number; msWithout: number; microsWithout: number }[] = []
    for (let i = 0; i <= count; i++) {
      const all = await withAll.round(`round${i}`)
      const bare = await without.round(`round${i}`)
      // the first warms up
      if (i > 0) rounds.push({ ...all, msWithout: bare.ms, microsWithout: bare.micros })
    }
    const of = (which: 'ms' | 'micros' | 'msWithout' | 'microsWithout') => median(rounds.map((r) => r[which]))
    return [
      figure(
        'PUT with authorization and audit, time each',
        'ms',
        rounds.map((r) => r.ms),
        of('msWithout'),
      ),
      figure(
        'PUT with authorization and audit, engine CPU each',
        'µs',
        rounds.map((r) => r.micros),
        of('microsWithout'),
      ),
    ]
  },
}

function figure(name: string, unit: string, measured: readonly number[], without: number): Figure {
  return {
    bench: 'access',
    name,
    value: median(measured),
    unit,
    spread: spreadOf(measured),
    limit: {
      value: without,
      what: 'the same requests of an engine that asks nobody who they are and writes no audit log',
    },
    ratio: median(measured) / without,
    bound: { of: 'ratio', atMost: 1.3 },
    note: `${CONNECTIONS} connections, each as fast as replies come; the hosts carry it all out meanwhile`,
  }
}

async function startSide(setting: BenchSetting, nodeOptions: readonly string[]): Promise<Side> {
  const { hosts, forMs } = setting.smoke ? smoke : full
  const database = await BenchDatabase.create(setting.postgresUrl)
  setting.afterwards(() => database.drop())
  const engine = await BenchEngine.start({ databaseUrl: database.url, nodeOptions })
  setting.afterwards(() => engine.stop())
  const { client, order } = await startLoad(setting, engine, database, { hosts, connections: CONNECTIONS, forMs })
  return {
    round: async (prefix) => {
      const before = await engine.cpuMicros()
      const { latencies, elapsedMs } = await client.ask<Puts>('puts', { ...order, prefix })
      const count = latencies.length
      return { ms: elapsedMs / count, micros: ((await engine.cpuMicros()) - before) / count }
    },
  }
}
