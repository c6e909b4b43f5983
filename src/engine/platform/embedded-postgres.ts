import { access, constants, mkdir, realpath } from 'node:fs/promises'
import { createServer } from 'node:net'
import { dirname, join } from 'node:path'
import { setTimeout as pause } from 'node:timers/promises'
import pg from 'pg'
import { ExitError, exitCodes } from '../../config/exit.js'
import type { Logger } from '../../log/logger.js'
import { lockDataDirectory } from './data-directory-lock.js'
import { openCluster, POSTGRES_ROLE, type PostgresCluster } from './postgres-cluster.js'
import { findPostmaster, type Postmaster, startPostmaster, stopPostmaster } from './postmaster.js'

export interface EmbeddedPostgresOptions {
  readonly dataDir: string
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
  /** Server settings over our own, e.g. `{ fsync: 'off' }` for a database that need not survive. */
  readonly settings?: Readonly<Record<string, string>>
  /** Where the binaries are, if not where npm put them. */
  readonly packageDir?: string
}

export interface EmbeddedPostgres {
  readonly url: string
  /** Of the postmaster; another one after it died and was started again. */
  readonly pid: number
  stop(): Promise<void>
}

const DATABASE = 'keelson'
const FIRST_START_ATTEMPTS = 3
const BACKOFF_MS = { first: 100, last: 5_000 }

/**
 * A real Postgres in `<dataDir>/postgres`, on a free port of the loopback. One engine at a time has it; a server that a
 * killed engine left running is taken over, and one that dies is started again on its port.
 */
export async function startEmbeddedPostgres(options: EmbeddedPostgresOptions): Promise<EmbeddedPostgres> {
  const dataDir = await usableDirectory(options.dataDir)
  const lock = await lockDataDirectory(dataDir)
  try {
    const cluster = await openCluster(join(dataDir, 'postgres'), options.packageDir)
    const server = new SupervisedServer(cluster, await runningServer(cluster, options), options)
    await ensureDatabase(server).catch(async (error: unknown) => {
      await server.stop()
      throw error
    })
    return {
      url: server.urlOf(DATABASE),
      get pid() {
        return server.pid
      },
      stop: async () => {
        await server.stop()
        await lock.release()
      },
    }
  } catch (error) {
    await lock.release()
    throw error
  }
}

async function usableDirectory(path: string): Promise<string> {
  try {
    await mkdir(dirname(path), { recursive: true })
    await mkdir(path, { mode: 0o700 }).catch(unlessThere)
    await access(join(path, '.'), constants.W_OK | constants.X_OK)
    return await realpath(path)
  } catch (cause) {
    const message = `data directory ${path} cannot be used: ${(cause as Error).message}`
    throw new ExitError(exitCodes.directory, message, { cause })
  }
}

function unlessThere(error: NodeJS.ErrnoException): void {
  if (error.code !== 'EEXIST') throw error
}

async function runningServer(
  cluster: PostgresCluster,
  { logger, settings }: EmbeddedPostgresOptions,
): Promise<Postmaster> {
  const found = await findPostmaster(cluster)
  if (found) {
    logger.info({ postmaster: found.pid, port: found.port }, 'taking over the embedded Postgres that is running')
    return found
  }
  for (let attempt = 1; ; attempt++) {
    try {
      const started = await startPostmaster(cluster, await freePort(), settings)
      logger.info({ postmaster: started.pid, port: started.port, data: cluster.data }, 'embedded Postgres is up')
      return started
    } catch (err) {
      if (attempt === FIRST_START_ATTEMPTS) throw err
      logger.warn({ err, attempt }, 'embedded Postgres did not start; trying again')
    }
  }
}

export const databaseUrlOf = ({ password }: PostgresCluster, port: number, database = DATABASE): string =>
  `postgres://${POSTGRES_ROLE}:${password}@127.0.0.1:${port}/${database}`

/** Keeps one server up, on the port that the pool knows. */
class SupervisedServer {
  private readonly stopping = new AbortController()
  private readonly watching: Promise<void>

  constructor(
    private readonly cluster: PostgresCluster,
    private postmaster: Postmaster,
    private readonly options: EmbeddedPostgresOptions,
  ) {
    this.watching = this.watch()
  }

  get pid(): number {
    return this.postmaster.pid
  }

  urlOf(database: string): string {
    return databaseUrlOf(this.cluster, this.postmaster.port, database)
  }

  async stop(): Promise<void> {
    this.stopping.abort()
    await stopPostmaster(this.postmaster)
    await this.watching
  }

  private async watch(): Promise<void> {
    for (;;) {
      await this.postmaster.exited
      if (this.stopping.signal.aborted) return
      this.options.logger.error({ postmaster: this.pid }, 'embedded Postgres has died; starting it again')
      await this.restart()
    }
  }

  private async restart(): Promise<void> {
    const { logger, settings } = this.options
    const { signal } = this.stopping
    for (let delayMs = BACKOFF_MS.first; !signal.aborted; delayMs = Math.min(delayMs * 2, BACKOFF_MS.last)) {
      try {
        this.postmaster = await startPostmaster(this.cluster, this.postmaster.port, settings)
        if (signal.aborted) await stopPostmaster(this.postmaster)
        else logger.info({ postmaster: this.pid }, 'embedded Postgres is up again')
        return
      } catch (err) {
        logger.error({ err, delayMs }, 'embedded Postgres did not start; trying again')
        await pause(delayMs, undefined, { signal }).catch(() => {})
      }
    }
  }
}

async function ensureDatabase(server: SupervisedServer): Promise<void> {
  const client = new pg.Client({ connectionString: server.urlOf('postgres'), connectionTimeoutMillis: 10_000 })
  await client.connect()
  try {
    const { rowCount } = await client.query('select from pg_database where datname = $1', [DATABASE])
    if (rowCount === 0) await client.query(`create database ${DATABASE}`)
  } finally {
    await client.end()
  }
}

function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const server = createServer().once('error', reject)
    server.listen(0, '127.0.0.1', () => {
      const address = server.address()
      server.close(() => resolve(typeof address === 'object' && address ? address.port : 0))
    })
  })
}
