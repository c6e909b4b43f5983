import type { Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'

/** One number for all who take an administrator away. */
const ADMINISTRATORS_LOCK = 0x6b61646d

/**
 * Call it before the user loses the role, is disabled or is removed: two at once pass one by one, so that the second sees what
 * the first has done.
 * @throws Conflict when nobody else who is enabled administers the plane
 */
export async function requireAnotherAdministrator(tx: Tx, userId: string): Promise<void> {
  await tx.query('SELECT pg_advisory_xact_lock($1)', [ADMINISTRATORS_LOCK])
  const [row] = await tx.query(
    `SELECT count(*) FILTER (WHERE b.user_id = $1)::int AS own, count(*) FILTER (WHERE b.user_id <> $1)::int AS others
     FROM role_bindings b JOIN users u ON u.id = b.user_id
     WHERE b.project_id IS NULL AND b.role = 'admin' AND NOT u.disabled`,
    [userId],
  )
  if (row.own === 0 || row.others > 0) return
  throw new Conflict(`user ${userId} is the last administrator of the plane`, 'last-administrator')
}
