import type { Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'

/**
 * People who administer the plane by a role of their own: not by a provider's groups, which somebody else may change. Their
 * rows stay locked, so that of two changes at once the second sees what the first left.
 */
export async function lockAdministrators(tx: Tx): Promise<readonly string[]> {
  const rows: { id: string }[] = await tx.query(
    `SELECT u.id FROM users u JOIN role_bindings b ON b.user_id = u.id
     WHERE u.kind = 'person' AND NOT u.disabled AND b.project_id IS NULL AND b.role = 'admin' AND b.provider_id IS NULL
     ORDER BY u.id FOR UPDATE OF u`,
  )
  return rows.map(({ id }) => id)
}

/** Before an administrator is removed, disabled or loses the role. @throws Conflict when nobody else is left */
export async function requireOtherAdministrator(tx: Tx, userId: string): Promise<void> {
  const administrators = await lockAdministrators(tx)
  if (administrators.length === 1 && administrators[0] === userId) {
    throw new Conflict('this is the last person who is an enabled administrator of the plane', 'last-administrator')
  }
}
