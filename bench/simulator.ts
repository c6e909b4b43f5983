import { BenchProcess, cpuMicros } from './bench-process.js'
import type { BenchDatabase } from './database.js'
import type { BenchEngine } from './engine.js'
import { until } from './until.js'

/** Simulated hosts in a process of their own. */
export class Simulator {
  /** @param process plays that many hosts, or will when it is asked */
  constructor(
    private readonly engine: BenchEngine,
    private readonly database: BenchDatabase,
    private readonly hosts: number,
    private readonly process: BenchProcess,
  ) {}

  /** Each host joins first. */
  static async start(engine: BenchEngine, database: BenchDatabase, hosts: number): Promise<Simulator> {
    const process = new BenchProcess('src/main.js', {
      args: ['simulate'],
      env: {
        KEELSON_SIMULATE_HOSTS: String(hosts),
        KEELSON_ENGINES: engine.tcpAddress,
        KEELSON_JOIN_TOKEN: await engine.joinToken(),
        KEELSON_LOG_LEVEL: 'error',
        KEELSON_LOG_FORMAT: 'json',
      },
    })
    return new Simulator(engine, database, hosts, process)
  }

  /** Answers when every host is Up and has a session with the replica that started last. */
  async connected(withinMs = 240_000): Promise<void> {
    let up = 0
    const look = async () => {
      if (!this.process.alive) throw new Error(`the simulator has ended:\n${this.process.words}`)
      up = await this.hostsUp()
      // the table tells cheaply when it may be so, the engine whether it is
      return up === this.hosts && (await this.engine.sessions()) === this.hosts
    }
    await until(`${this.hosts} sessions`, look, { withinMs, everyMs: 100 }).catch((error: unknown) => {
      throw new Error(`${(error as Error).message}; ${up} were there`, { cause: error })
    })
  }

  /** @throws where the process answers no questions: `keelson simulate` does not */
  async cpuMicros(): Promise<number> {
    return cpuMicros(await this.process.ask<NodeJS.CpuUsage>('cpu'))
  }

  stop(): Promise<void> {
    return this.process.stop('SIGKILL')
  }

  private hostsUp(): Promise<number> {
    return this.database.number(
      `SELECT count(*) FROM hosts WHERE connected AND status = 'Up'
         AND owner_replica_id = (SELECT id FROM replicas ORDER BY started_at DESC LIMIT 1)`,
    )
  }
}
