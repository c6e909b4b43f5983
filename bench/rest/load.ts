import { BenchProcess } from '../bench-process.js'
import type { BenchDatabase } from '../database.js'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting } from '../figures.js'
import { Simulator } from '../simulator.js'
import type { PutsOrder } from './client.js'

/** Who asks an engine for storage connections, and what for; simulated hosts carry it out. */
export interface Load {
  readonly client: BenchProcess
  readonly order: Omit<PutsOrder, 'prefix'>
}

export interface LoadSize {
  readonly hosts: number
  readonly connections: number
  readonly forMs: number
}

export async function startLoad(
  setting: BenchSetting,
  engine: BenchEngine,
  database: BenchDatabase,
  { hosts, connections, forMs }: LoadSize,
): Promise<Load> {
  const simulator = await Simulator.start(engine, database, hosts)
  setting.afterwards(() => simulator.stop())
  await simulator.connected()
  const client = new BenchProcess('bench/rest/client.js')
  setting.afterwards(() => client.stop())
  const up = await database.rows<{ id: string }>(`SELECT id FROM hosts WHERE status = 'Up'`)
  const { httpPort: port, token } = engine
  return { client, order: { port, token, hostIds: up.map(({ id }) => id), connections, forMs } }
}
