import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { Settings } from '../platform/settings.js'

/** A lock doubles with each failure, and is never longer than this. */
const MAX_LOCK_MS = 3_600_000

/** How long a lock is after `failures`, null below the threshold: with $2 the threshold and $3 the first lock's length. */
const lockUntil = (failures: string): string =>
  `CASE WHEN ${failures} >= $2::float8 THEN now() + interval '1 millisecond' *
     least($3::float8 * power(2, least(${failures} - $2::float8, 30)), ${MAX_LOCK_MS}) END`

/**
 * Failed sign-ins by user, counted in the database for all replicas; by address it is `SharedLimits` that counts. An attempt
 * is counted before its password is looked at, and taken back when it was right: guesses at once get no more than in a row.
 */
@Injectable()
export class SignInLimits {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  /** @returns whether the user is locked already: then no password is right. `lockedNow` by this very attempt, should it fail */
  async count(userId: string): Promise<{ locked: boolean; lockedNow: boolean }> {
    const [row] = await this.database.query<{ locked_now: boolean }>(
      'sign_in_count_user',
      `UPDATE users SET failed_logins = failed_logins + 1, locked_until = ${lockUntil('(failed_logins + 1)')}
       WHERE id = $1 AND (locked_until IS NULL OR locked_until <= now())
       RETURNING locked_until IS NOT NULL AS locked_now`,
      [userId, this.settings.get('identity.lockoutFailures'), this.settings.get('identity.lockoutMs')],
    )
    return { locked: !row, lockedNow: row?.locked_now === true }
  }

  async forgive(userId: string): Promise<void> {
    await this.database.query(
      'sign_in_forgive_user',
      `UPDATE users SET failed_logins = 0, locked_until = NULL WHERE id = $1`,
      [userId],
    )
  }
}
