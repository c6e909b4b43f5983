import type { PoolClient } from 'pg'
import { type DataSource, MigrationExecutor, type MigrationInterface, type QueryRunner } from 'typeorm'
import { ExitError, exitCodes } from '../../config/exit.js'
import { Foundation0001 } from '../migrations/0001-foundation.js'
import { Identity0002 } from '../migrations/0002-identity.js'
import { HostCertificates0003 } from '../migrations/0003-host-certificates.js'
import { SignIn0004 } from '../migrations/0004-sign-in.js'
import { Quotas0005 } from '../migrations/0005-quotas.js'
import { Audit0006 } from '../migrations/0006-audit.js'
import { Limits0007 } from '../migrations/0007-limits.js'
import { Storage0008 } from '../migrations/0008-storage.js'
import { StorageOrigin0009 } from '../migrations/0009-storage-origin.js'
import { ObservedGeneration0010 } from '../migrations/0010-observed-generation.js'
import { StorageHolders0011 } from '../migrations/0011-storage-holders.js'
import { Networks0012 } from '../migrations/0012-networks.js'
import { Balancing0013 } from '../migrations/0013-balancing.js'
import { Guests0014 } from '../migrations/0014-guests.js'
import { breakWhenSilent } from './silent-server.js'

type MigrationClass = new () => MigrationInterface

/** Every migration, in order. One that has landed is never edited. */
export const migrations: MigrationClass[] = [
  Foundation0001,
  Identity0002,
  HostCertificates0003,
  SignIn0004,
  Quotas0005,
  Audit0006,
  Limits0007,
  Storage0008,
  StorageOrigin0009,
  ObservedGeneration0010,
  StorageHolders0011,
  Networks0012,
  Balancing0013,
  Guests0014,
].map(numberedForTypeOrm)

export interface MigrationStatus {
  readonly applied: readonly string[]
  readonly pending: readonly string[]
  /** Applied by a newer build than this one. */
  readonly unknown: readonly string[]
}

export interface MigrateOptions {
  /** Told when another process holds the lock and this one waits for it. */
  readonly onWait?: () => void
}

const OLDEST_POSTGRES = 15
/** One number for all Keelson processes on one database. */
const MIGRATION_LOCK = 0x6b65656c

/**
 * Brings the schema to what this build knows (`up`), or takes the newest migration back (`down`), one process at a time.
 * Answers the names of the migrations carried out.
 */
export async function migrate(
  dataSource: DataSource,
  direction: 'up' | 'down',
  options: MigrateOptions = {},
): Promise<readonly string[]> {
  return underLock(dataSource, options, async (runner) => {
    const executor = new MigrationExecutor(dataSource, runner)
    executor.transaction = 'each'
    const { applied, unknown } = await statusOf(dataSource, executor)
    if (unknown.length > 0) throw newerSchema(unknown)
    if (direction === 'up') return (await executor.executePendingMigrations()).map(({ name }) => name)
    await executor.undoLastMigration()
    return applied.slice(-1)
  })
}

export async function migrationStatus(dataSource: DataSource): Promise<MigrationStatus> {
  await requireSupportedPostgres(dataSource)
  return statusOf(dataSource, new MigrationExecutor(dataSource))
}

async function statusOf(dataSource: DataSource, executor: MigrationExecutor): Promise<MigrationStatus> {
  const applied = (await executor.getExecutedMigrations()).map(({ name }) => name).reverse()
  const pending = (await executor.getPendingMigrations()).map(({ name }) => name)
  const known = new Set(dataSource.migrations.map(({ name }) => name))
  return { applied, pending, unknown: applied.filter((name) => !known.has(name)) }
}

async function requireSupportedPostgres(dataSource: DataSource): Promise<void> {
  const [row] = await dataSource.query<{ version: string; number: string }[]>(
    `select current_setting('server_version') as version, current_setting('server_version_num') as number`,
  )
  if (row && Number(row.number) < OLDEST_POSTGRES * 10_000) {
    const message = `the database is Postgres ${row.version}: Keelson needs ${OLDEST_POSTGRES} or newer`
    throw new ExitError(exitCodes.configuration, message)
  }
}

/** A session lock, on the connection that migrates: it ends with that connection, however the process ends. */
async function underLock<T>(
  dataSource: DataSource,
  { onWait }: MigrateOptions,
  work: (runner: QueryRunner) => Promise<T>,
): Promise<T> {
  await requireSupportedPostgres(dataSource)
  const runner = dataSource.createQueryRunner()
  try {
    // the pool's connection: waiting for a lock, or building an index, is silent for long
    const client: PoolClient = await runner.connect()
    const silenceMs = breakWhenSilent(client, 0)
    const before = await setLimits(runner, unlimited)
    await lock(runner, onWait)
    try {
      return await work(runner)
    } finally {
      await runner.query('select pg_advisory_unlock($1)', [MIGRATION_LOCK])
      await setLimits(runner, before)
      breakWhenSilent(client, silenceMs)
    }
  } finally {
    await runner.release()
  }
}

async function lock(runner: QueryRunner, onWait?: () => void): Promise<void> {
  const [row] = await runner.query('select pg_try_advisory_lock($1) as locked', [MIGRATION_LOCK])
  if (row.locked) return
  onWait?.()
  await runner.query('select pg_advisory_lock($1)', [MIGRATION_LOCK])
}

/** Migrating, and waiting for who migrates, may take longer than any statement of the engine's. */
const unlimited = [
  { name: 'statement_timeout', value: '0' },
  { name: 'transaction_timeout', value: '0' },
  { name: 'idle_in_transaction_session_timeout', value: '0' },
]

type Limit = (typeof unlimited)[number]

/** Answers the values before; a limit that this Postgres does not have is left out. */
async function setLimits(runner: QueryRunner, limits: readonly Limit[]): Promise<Limit[]> {
  const before: Limit[] = await runner.query('select name, setting as value from pg_settings where name = any($1)', [
    limits.map(({ name }) => name),
  ])
  const known = limits.filter(({ name }) => before.some((limit) => limit.name === name))
  for (const { name, value } of known) await runner.query('select set_config($1, $2, false)', [name, value])
  return before
}

function newerSchema(unknown: readonly string[]): ExitError {
  return new ExitError(
    exitCodes.configuration,
    `the database has migrations that this build does not know (${unknown.join(', ')}): a newer Keelson has migrated it. ` +
      'Start that version, or take its migrations back with its own `keelson migrate down`',
  )
}

/** TypeORM orders migrations by the last 13 characters of their name: Foundation0001 becomes Foundation0000000000001. */
function numberedForTypeOrm(Migration: MigrationClass): MigrationClass {
  const name = Migration.name.replace(/\d{4}$/, (number) => number.padStart(13, '0'))
  return class extends Migration {
    override readonly name = name
  }
}
