import type { Logger } from '../../log/logger.js'
import type { Database, Tx } from '../platform/database.js'
import type { PasswordHashing } from './password-hashing.js'
import { newOneTimePassword } from './passwords.js'

/** The second where the first is a service's. */
const NAMES = ['admin', 'administrator']

/**
 * Where no person exists, the first is made, with a password that is printed now and never again. In the words of the
 * line, as the log leaves out what is in its fields. Of several replicas that start together, one makes them.
 */
export async function ensureFirstAdministrator(
  database: Database,
  hashing: PasswordHashing,
  logger: Pick<Logger, 'warn'>,
): Promise<void> {
  if (await database.transaction(anyPerson)) return
  const oneTimePassword = newOneTimePassword()
  const passwordHash = await hashing.hash(oneTimePassword)
  const name = await database.transaction(async (tx) => {
    await tx.query('LOCK TABLE users IN SHARE ROW EXCLUSIVE MODE')
    return (await anyPerson(tx)) ? null : insert(tx, passwordHash)
  })
  if (name === null) return
  logger.warn(
    { user: name },
    `the first administrator is ${name}, with the one-time password ${oneTimePassword} : sign in and choose another`,
  )
}

async function anyPerson(tx: Tx): Promise<boolean> {
  const [row] = await tx.query(`SELECT EXISTS (SELECT FROM users WHERE kind = 'person') AS found`)
  return row.found
}

async function insert(tx: Tx, passwordHash: string): Promise<string | null> {
  const rows: { name: string }[] = await tx.query(
    `WITH made AS (
       INSERT INTO users (kind, name, display_name, password_hash, must_change_password)
       SELECT 'person', n.name, 'First administrator', $2, true FROM unnest($1::text[]) WITH ORDINALITY AS n(name, place)
       WHERE NOT EXISTS (SELECT FROM users u WHERE u.name = n.name) ORDER BY n.place LIMIT 1
       RETURNING id, name)
     , bound AS (INSERT INTO role_bindings (user_id, role) SELECT id, 'admin' FROM made)
     SELECT name FROM made`,
    [NAMES, passwordHash],
  )
  return rows[0]?.name ?? null
}
