import { BenchProcess } from './bench-process.js'
import type { BenchDatabase } from './database.js'
import type { BenchEngine } from './engine.js'
import { until } from './until.js'

/** `keelson simulate` in a process of its own. */
export class Simulator {
  private readonly process: BenchProcess

  private constructor(
    private readonly engine: BenchEngine,
    private readonly database: BenchDatabase,
    private readonly hosts: number,
    joinToken: string,
  ) {
    this.process = new BenchProcess('src/main.js', {
      args: ['simulate'],
      env: {
        KEELSON_SIMULATE_HOSTS: String(hosts),
        KEELSON_ENGINES: engine.tcpAddress,
        KEELSON_JOIN_TOKEN: joinToken,
        KEELSON_LOG_LEVEL: 'error',
        KEELSON_LOG_FORMAT: 'json',
      },
    })
  }

  static async start(engine: BenchEngine, database: BenchDatabase, hosts: number): Promise<Simulator> {
    return new Simulator(engine, database, hosts, await engine.joinToken())
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
