import type { DataSource } from 'typeorm'
import { ExitError, exitCodes } from '../config/exit.js'
import type { Logger } from '../log/logger.js'

interface Where {
  readonly databaseUrl: string | null
  readonly dataDir: string
}

const POOL_SIZE = 3

/** The given database, or the embedded one for as long as it takes. */
export async function withDatabase<T>(
  { databaseUrl, dataDir }: Where,
  logger: Logger,
  work: (dataSource: DataSource) => Promise<T>,
): Promise<T> {
  if (databaseUrl !== null) return connected(databaseUrl, work)
  const { startEmbeddedPostgres } = await import('../engine/platform/embedded-postgres.js')
  const postgres = await startEmbeddedPostgres({ dataDir, logger })
  try {
    return await connected(postgres.url, work)
  } finally {
    await postgres.stop()
  }
}

async function connected<T>(url: string, work: (dataSource: DataSource) => Promise<T>): Promise<T> {
  const { DataSource } = await import('typeorm')
  const { dataSourceOptions } = await import('../engine/data-source.js')
  const dataSource = await new DataSource(dataSourceOptions(url, { poolSize: POOL_SIZE })).initialize()
  try {
    return await work(dataSource)
  } finally {
    await dataSource.destroy()
  }
}

/** For what must know every table: what a newer build keeps in others it would overlook. @throws ExitError */
export async function requireOwnSchema(dataSource: DataSource): Promise<void> {
  const { migrationStatus } = await import('../engine/platform/migrations.js')
  const { pending, unknown } = await migrationStatus(dataSource)
  if (pending.length > 0) {
    throw new ExitError(exitCodes.configuration, 'the database lacks migrations of this build: `keelson migrate` first')
  }
  if (unknown.length > 0) {
    const message = `a newer Keelson has migrated the database (${unknown.join(', ')}): use that one`
    throw new ExitError(exitCodes.configuration, message)
  }
}
