import { Argument, type Command } from 'commander'
import { loadKeys } from '../config/load.js'
import { createLogger, type Logger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'

const names = ['databaseUrl', 'dataDir', 'logLevel', 'logFormat'] as const
const verbs = ['up', 'down', 'status'] as const
type Verb = (typeof verbs)[number]

export function migrateCommand(parent: Command): void {
  const command = parent
    .command('migrate')
    .description("change the database's schema: up to this build's, down by one migration, or just look")
    .addArgument(new Argument('[what]').choices(verbs).default('up'))
  withKeys(command, 'engine', names).action(async (verb: Verb, options: Options) => {
    const config = loadKeys('engine', names, requestOf(options))
    const logger = createLogger('migrate', config)
    await withDatabase(config, logger, (url) => carryOut(verb, url, logger))
  })
}

/** The given database, or the embedded one for as long as it takes. */
async function withDatabase(
  { databaseUrl, dataDir }: { databaseUrl: string | null; dataDir: string },
  logger: Logger,
  work: (url: string) => Promise<void>,
): Promise<void> {
  if (databaseUrl !== null) return work(databaseUrl)
  const { startEmbeddedPostgres } = await import('../engine/platform/embedded-postgres.js')
  const postgres = await startEmbeddedPostgres({ dataDir, logger })
  try {
    await work(postgres.url)
  } finally {
    await postgres.stop()
  }
}

async function carryOut(verb: Verb, url: string, logger: Logger): Promise<void> {
  const { DataSource } = await import('typeorm')
  const { dataSourceOptions } = await import('../engine/data-source.js')
  const { migrate, migrationStatus } = await import('../engine/platform/migrations.js')
  const dataSource = await new DataSource(dataSourceOptions(url, { poolSize: 2 })).initialize()
  try {
    if (verb === 'status') {
      const { applied, pending, unknown } = await migrationStatus(dataSource)
      print('applied', applied)
      print('pending', pending)
      print('unknown to this build', unknown)
    } else {
      const onWait = (): void => logger.info('another process is migrating: waiting for it')
      print(verb === 'up' ? 'applied' : 'taken back', await migrate(dataSource, verb, { onWait }))
    }
  } finally {
    await dataSource.destroy()
  }
}

function print(what: string, names: readonly string[]): void {
  console.log(`${what}: ${names.length > 0 ? names.join(', ') : 'none'}`)
}
