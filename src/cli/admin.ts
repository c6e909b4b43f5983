import { Argument, type Command } from 'commander'
import { loadKeys } from '../config/load.js'
import { createLogger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'

const names = ['databaseUrl', 'dataDir', 'logLevel', 'logFormat'] as const
const verbs = ['reset-password'] as const

/** For whoever is on the engine's machine and cannot get in. */
export function adminCommand(parent: Command): void {
  const command = parent
    .command('admin')
    .description("on the engine's machine, straight at its database: give a user a one-time password")
    .addArgument(new Argument('<what>').choices(verbs))
    .option('--user <name>', 'whose', 'admin')
  withKeys(command, 'engine', names).action(async (_: (typeof verbs)[number], { user, ...options }: Options) => {
    const config = loadKeys('engine', names, requestOf(options))
    // the password is all that stdout is for
    const logger = createLogger('admin', { ...config, logLevel: 'silent' })
    const { resetPassword } = await import('../engine/reset-password.js')
    const password = await resetPassword({ ...config, logger, name: String(user) })
    console.error(`${user} signs in with this one-time password, and chooses another:`)
    console.log(password)
  })
}
