import { DataSource } from 'typeorm'
import { ExitError, exitCodes } from '../config/exit.js'
import type { Logger } from '../log/logger.js'
import { dataSourceOptions } from './data-source.js'
import { recordLocalChange } from './identity/audit-local.js'
import { IDENTITY_CHANNEL } from './identity/authentication.js'
import { giveOneTimePassword } from './identity/one-time-password.js'
import { PasswordHashing } from './identity/password-hashing.js'
import { newOneTimePassword } from './identity/passwords.js'
import { openEmbeddedDatabase } from './platform/embedded-database.js'
import { migrationStatus } from './platform/migrations.js'

export interface PasswordReset {
  /** Null: the embedded Postgres in `dataDir`, whether its engine runs or not. */
  readonly databaseUrl: string | null
  readonly dataDir: string
  readonly logger: Pick<Logger, 'debug' | 'info' | 'warn' | 'error'>
  readonly name: string
}

/** Gives a person a one-time password, unlocks and enables the account. @returns the password. @throws ExitError */
export async function resetPassword({ databaseUrl, dataDir, logger, name }: PasswordReset): Promise<string> {
  const embedded = databaseUrl === null ? await openEmbeddedDatabase({ dataDir, logger }) : null
  try {
    const url = databaseUrl ?? embedded?.url ?? ''
    const dataSource = await new DataSource(dataSourceOptions(url, { poolSize: 2 })).initialize()
    try {
      return await giveNewPassword(dataSource, name)
    } finally {
      await dataSource.destroy()
    }
  } finally {
    await embedded?.close()
  }
}

async function giveNewPassword(dataSource: DataSource, name: string): Promise<string> {
  const { pending } = await migrationStatus(dataSource)
  if (pending.length > 0) {
    throw new ExitError(exitCodes.failed, 'the database is not at the schema of this build: start the engine first')
  }
  const password = newOneTimePassword()
  const passwordHash = await new PasswordHashing().hash(password)
  await dataSource.transaction(async (tx) => {
    const [user] = await tx.query('SELECT id, kind FROM users WHERE name = $1 FOR UPDATE', [name])
    if (!user) throw new ExitError(exitCodes.failed, `there is no user ${name}`)
    if (user.kind === 'service') throw new ExitError(exitCodes.failed, `${name} is a service, which has no password`)
    await giveOneTimePassword(tx, user.id, passwordHash)
    await tx.query('UPDATE users SET disabled = false WHERE id = $1', [user.id])
    const subjects = [`user/${user.id}`]
    await recordLocalChange(tx, { operation: 'admin.resetPassword', command: 'keelson admin reset-password', subjects })
    // delivered with the commit: engines that run forget who this was
    await tx.query('SELECT pg_notify($1, $2)', [IDENTITY_CHANNEL, 'changed'])
  })
  return password
}
