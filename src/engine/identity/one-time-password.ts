import type { Tx } from '../platform/database.js'

/** The account opens for it alone, and for nothing but the choice of another; whoever was signed in is out. */
export async function giveOneTimePassword(tx: Tx, userId: string, passwordHash: string): Promise<void> {
  await tx.query(
    `UPDATE users SET password_hash = $2, must_change_password = true, failed_logins = 0, locked_until = NULL,
       generation = generation + 1, updated_at = now() WHERE id = $1`,
    [userId, passwordHash],
  )
  await tx.query('DELETE FROM web_sessions WHERE user_id = $1', [userId])
}
