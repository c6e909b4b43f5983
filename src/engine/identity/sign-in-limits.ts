import { isIPv6 } from 'node:net'
import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { TooMany } from '../platform/errors.js'
import { Settings } from '../platform/settings.js'

/** A lock doubles with each failure, and is never longer than this. */
const MAX_LOCK_MS = 3_600_000
/** An address is many people's: one failure is forgotten in so long, or an office would lock itself out in a week. */
const FORGOTTEN_SECONDS = 180

/** How long a lock is after `failures`, null below the threshold: with $2 the threshold and $3 the first lock's length. */
const lockUntil = (failures: string): string =>
  `CASE WHEN ${failures} >= $2::float8 THEN now() + interval '1 millisecond' *
     least($3::float8 * power(2, least(${failures} - $2::float8, 30)), ${MAX_LOCK_MS}) END`

const remembered = `greatest(0, a.failures - extract(epoch FROM now() - a.updated_at)::float8 / ${FORGOTTEN_SECONDS})`

/**
 * Failed sign-ins, counted in the database for all replicas, by user and by address. An attempt is counted before its
 * password is looked at, and taken back when it was right: any number of guesses at once gets no more than in a row.
 */
@Injectable()
export class SignInLimits {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  /** @throws TooMany while the address is locked, before anything is computed for it */
  async countAddress(address: string): Promise<void> {
    const [row] = await this.database.query<{ address: string }>(
      'sign_in_count_address',
      `INSERT INTO sign_in_addresses AS a (address, failures, locked_until) VALUES ($1, 1, ${lockUntil('1')})
       ON CONFLICT (address) DO UPDATE SET
         failures = ${remembered} + 1, locked_until = ${lockUntil(`ceil(${remembered} + 1)`)}, updated_at = now()
       WHERE a.locked_until IS NULL OR a.locked_until <= now()
       RETURNING a.address`,
      [networkOf(address), this.settings.get('identity.addressFailures'), this.settings.get('identity.lockoutMs')],
    )
    if (!row) throw new TooMany('too many failed sign-ins from this address', await this.waitSeconds(address))
  }

  async forgiveAddress(address: string): Promise<void> {
    await this.database.query(
      'sign_in_forgive_address',
      `UPDATE sign_in_addresses SET failures = greatest(failures - 1, 0), locked_until = NULL WHERE address = $1`,
      [networkOf(address)],
    )
  }

  /** @returns whether the user is locked already: then no password is right. `lockedNow` by this very attempt, should it fail */
  async countUser(userId: string): Promise<{ locked: boolean; lockedNow: boolean }> {
    const [row] = await this.database.query<{ locked_now: boolean }>(
      'sign_in_count_user',
      `UPDATE users SET failed_logins = failed_logins + 1, locked_until = ${lockUntil('(failed_logins + 1)')}
       WHERE id = $1 AND (locked_until IS NULL OR locked_until <= now())
       RETURNING locked_until IS NOT NULL AS locked_now`,
      [userId, this.settings.get('identity.lockoutFailures'), this.settings.get('identity.lockoutMs')],
    )
    return { locked: !row, lockedNow: row?.locked_now === true }
  }

  async forgiveUser(userId: string): Promise<void> {
    await this.database.query(
      'sign_in_forgive_user',
      `UPDATE users SET failed_logins = 0, locked_until = NULL WHERE id = $1`,
      [userId],
    )
  }

  async removeForgotten(): Promise<void> {
    await this.database.query(
      'sign_in_remove_addresses',
      `DELETE FROM sign_in_addresses WHERE updated_at < now() - interval '1 day'`,
    )
  }

  private async waitSeconds(address: string): Promise<number> {
    const [row] = await this.database.query<{ seconds: number }>(
      'sign_in_wait',
      `SELECT ceil(extract(epoch FROM locked_until - now()))::int AS seconds FROM sign_in_addresses WHERE address = $1`,
      [networkOf(address)],
    )
    return Math.max(1, row?.seconds ?? 1)
  }
}

/** Who has one IPv6 address has 2^64 of them. */
export function networkOf(address: string): string {
  const plain = address.replace(/^::ffff:(?=[\d.]+$)/i, '').replace(/%.*$/, '')
  if (!isIPv6(plain)) return plain
  const [left = '', right] = plain.split('::')
  const head = left ? left.split(':') : []
  const tail = right ? right.split(':') : []
  const zeros = right === undefined ? 0 : 8 - head.length - tail.length
  const groups = [...head, ...Array.from({ length: zeros }, () => '0'), ...tail]
  return `${groups
    .slice(0, 4)
    .map((group) => Number.parseInt(group, 16).toString(16))
    .join(':')}::/64`
}
