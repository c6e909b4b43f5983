import { cpus, loadavg, totalmem } from 'node:os'
import pg from 'pg'

/** Where figures were measured: without it they say nothing. */
export interface Machine {
  readonly cores: number
  readonly cpu: string
  readonly memoryGiB: number
  readonly node: string
  readonly postgres: string
  readonly synchronousCommit: string
  /** One-minute load before the first bench: above zero, something else was running. */
  readonly loadBefore: number
}

export async function describeMachine(postgresUrl: string): Promise<Machine> {
  const client = new pg.Client({ connectionString: postgresUrl })
  await client.connect()
  try {
    const { rows } = await client.query<{ version: string; sync: string }>(
      `SELECT current_setting('server_version') AS version, current_setting('synchronous_commit') AS sync`,
    )
    return {
      cores: cpus().length,
      cpu: cpus()[0]?.model ?? 'unknown',
      memoryGiB: Math.round(totalmem() / 2 ** 30),
      node: process.version,
      postgres: rows[0]?.version ?? 'unknown',
      synchronousCommit: rows[0]?.sync ?? 'unknown',
      loadBefore: loadavg()[0] ?? 0,
    }
  } finally {
    await client.end()
  }
}

export const textOfMachine = (m: Machine): string =>
  `${m.cores} cores (${m.cpu}), ${m.memoryGiB} GiB, Node ${m.node}, Postgres ${m.postgres} ` +
  `(synchronous_commit ${m.synchronousCommit}), load before ${m.loadBefore.toFixed(2)}`
