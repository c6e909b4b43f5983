import { Argument, type Command } from 'commander'
import type { DataSource } from 'typeorm'
import { loadKeys } from '../config/load.js'
import { createLogger, type Logger } from '../log/logger.js'
import { withDatabase } from './database.js'
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
    await withDatabase(config, logger, (dataSource) => carryOut(verb, dataSource, logger))
  })
}

async function carryOut(verb: Verb, dataSource: DataSource, logger: Logger): Promise<void> {
  const { migrate, migrationStatus } = await import('../engine/platform/migrations.js')
  if (verb === 'status') {
    const { applied, pending, unknown } = await migrationStatus(dataSource)
    print('applied', applied)
    print('pending', pending)
    print('unknown to this build', unknown)
  } else {
    const onWait = (): void => logger.info('another process is migrating: waiting for it')
    print(verb === 'up' ? 'applied' : 'taken back', await migrate(dataSource, verb, { onWait }))
  }
}

function print(what: string, names: readonly string[]): void {
  console.log(`${what}: ${names.length > 0 ? names.join(', ') : 'none'}`)
}
