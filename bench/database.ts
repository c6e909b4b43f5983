import { randomBytes } from 'node:crypto'
import { mkdtemp, rm } from 'node:fs/promises'
import { tmpdir } from 'node:os'
import { join } from 'node:path'
import pg from 'pg'
import { startEmbeddedPostgres } from '../src/engine/platform/embedded-postgres.js'

export interface BenchPostgres {
  readonly url: string
  stop(): Promise<void>
}

const MAX_CONNECTIONS = '200'

/** The server that `DATABASE_URL` names, or an embedded one that is as durable as in production and gone afterwards. */
export async function openPostgres(): Promise<BenchPostgres> {
  const given = process.env.DATABASE_URL
  if (given) return { url: given, stop: async () => {} }
  const dataDir = await mkdtemp(join(tmpdir(), 'keelson-bench-'))
  const quiet = () => {}
  const logger = { debug: quiet, info: quiet, warn: console.error, error: console.error }
  const settings = { max_connections: MAX_CONNECTIONS }
  const server = await startEmbeddedPostgres({ dataDir, logger, settings })
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/** A database that only one bench uses, and a connection to it. */
export class BenchDatabase {
  private constructor(
    readonly url: string,
    readonly client: pg.Client,
    private readonly serverUrl: string,
    private readonly name: string,
  ) {}

  static async create(serverUrl: string): Promise<BenchDatabase> {
    const name = `bench_${randomBytes(6).toString('hex')}`
    await administer(serverUrl, `CREATE DATABASE ${name}`)
    const url = new URL(serverUrl)
    url.pathname = `/${name}`
    const client = new pg.Client({ connectionString: url.href })
    // a server that stops ends its connections
    client.on('error', () => {})
    await client.connect()
    return new BenchDatabase(url.href, client, serverUrl, name)
  }

  async rows<R extends pg.QueryResultRow>(sql: string, values: readonly unknown[] = []): Promise<R[]> {
    return (await this.client.query<R>(sql, [...values])).rows
  }

  /** The one value of the one row. */
  async number(sql: string, values: readonly unknown[] = []): Promise<number> {
    const [row] = await this.rows<Record<string, unknown>>(sql, values)
    return Number(Object.values(row ?? {})[0])
  }

  async drop(): Promise<void> {
    await this.client.end()
    await administer(this.serverUrl, `DROP DATABASE ${this.name} WITH (FORCE)`)
  }
}

async function administer(url: string, statement: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    await client.query(statement)
  } finally {
    await client.end()
  }
}
