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
/** Of the write-ahead log, kept to be written over: 32 segments, more than a bench fills. */
const KEPT_WAL = '512MB'
const SEGMENTS = 31

/** The server that `DATABASE_URL` names, or an embedded one that is as durable as in production and gone afterwards. */
export async function openPostgres(): Promise<BenchPostgres> {
  const given = process.env.DATABASE_URL
  if (given) return { url: given, stop: async () => {} }
  const dataDir = await mkdtemp(join(tmpdir(), 'keelson-bench-'))
  const quiet = () => {}
  const logger = { debug: quiet, info: quiet, warn: console.error, error: console.error }
  const settings = { max_connections: MAX_CONNECTIONS, min_wal_size: KEPT_WAL }
  const server = await startEmbeddedPostgres({ dataDir, logger, settings })
  await fillLog(server.url)
  return {
    url: server.url,
    stop: async () => {
      await server.stop()
      await rm(dataDir, { recursive: true, force: true })
    },
  }
}

/**
 * A server that has been in use writes over segments of its log that it needs no more. A new one makes each segment first, and
 * nobody commits for the 30 ms that it takes.
 */
async function fillLog(url: string): Promise<void> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  for (let i = 0; i < SEGMENTS; i++) {
    await client.query(`SELECT pg_logical_emit_message(false, 'bench', 'in use')`)
    await client.query('SELECT pg_switch_wal()')
  }
  await client.query('CHECKPOINT')
  await client.end()
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
