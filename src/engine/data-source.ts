import type { Client } from 'pg'
import { AbstractLogger, type DataSourceOptions } from 'typeorm'
import { entities } from './entities.js'
import { columnValues } from './platform/column-values.js'
import { migrations } from './platform/migrations.js'
import { SnakeCaseNaming } from './platform/naming-strategy.js'
import { breakWhenSilent } from './platform/silent-server.js'

export interface PoolSettings {
  readonly poolSize?: number
  /** Told when an idle connection breaks; the pool replaces it by itself. */
  readonly onPoolError?: (error: Error) => void
}

const CONNECT_TIMEOUT_MS = 3_000
const STATEMENT_TIMEOUT_MS = 15_000
const IDLE_IN_TRANSACTION_TIMEOUT_MS = 10_000
const TRANSACTION_TIMEOUT_MS = 30_000
const KEEP_ALIVE_DELAY_MS = 10_000

/**
 * How every connection of an engine is made. The limits are the server's to keep: readers of "what changed since" wait
 * for the oldest open transaction, so none may stay open for ever.
 */
export function dataSourceOptions(url: string, { poolSize = 20, onPoolError }: PoolSettings = {}) {
  return {
    type: 'postgres',
    url,
    entities,
    migrations,
    migrationsTableName: 'migrations',
    migrationsTransactionMode: 'each',
    namingStrategy: new SnakeCaseNaming(),
    synchronize: false,
    installExtensions: false,
    // gen_random_uuid(), which every Postgres has built in
    uuidExtension: 'pgcrypto',
    logging: false,
    logger: new SilentLogger(),
    // epochs, sequence numbers and event ids stay far below 2^53
    parseInt8: true,
    poolSize,
    connectTimeoutMS: CONNECT_TIMEOUT_MS,
    applicationName: 'keelson',
    poolErrorHandler: onPoolError ?? (() => {}),
    extra: {
      statement_timeout: STATEMENT_TIMEOUT_MS,
      idle_in_transaction_session_timeout: IDLE_IN_TRANSACTION_TIMEOUT_MS,
      keepAlive: true,
      keepAliveInitialDelayMillis: KEEP_ALIVE_DELAY_MS,
      onConnect: limitTransactions,
      types: columnValues,
    },
  } as const satisfies DataSourceOptions
}

/** TypeORM throws all that matters; what it prints beside would be lines of another form between those of the log. */
class SilentLogger extends AbstractLogger {
  protected override writeLog(): void {}
}

/** Not a startup parameter: Postgres before 17 would refuse the connection. */
async function limitTransactions(client: Client): Promise<void> {
  // longer than any statement may take; the pool closes idle connections earlier
  breakWhenSilent(client, STATEMENT_TIMEOUT_MS + 3_000)
  await client.query(
    `select set_config('transaction_timeout', $1, false) where current_setting('server_version_num')::int >= 170000`,
    [String(TRANSACTION_TIMEOUT_MS)],
  )
}
