import { Injectable, Logger } from '@nestjs/common'
import { Database } from './database.js'
import { Forbidden, TooMany, Unauthenticated } from './errors.js'
import type { SettingKey } from './setting-keys.js'
import { Settings } from './settings.js'

/** What all replicas count together, and how many attempts may fail before the first lockout. */
export const sharedLimits = {
  'sign-in': 'limits.signInFailures',
  enrolment: 'limits.enrolmentFailures',
} as const satisfies Record<string, SettingKey>

export type SharedLimit = keyof typeof sharedLimits

const LOCKED = 'c.locked_until > now()'
/** A lockout has ended, and what led to it is paid for. */
const SERVED = `(c.locked_until > 'epoch' AND NOT ${LOCKED})`
const ANEW = `(${SERVED} OR c.window_ends_at <= now())`
const EXCEEDED = `(NOT ${ANEW} AND c.attempts >= $2)`
const WINDOW = `interval '1 millisecond' * $3`
/** Twice as long with each lockout that is remembered. */
const LOCKOUT = `interval '1 millisecond' * least($4 * power(2, least(c.lockouts, 20)), $5)`
/** Lockouts are remembered for as long as the longest. */
const MEMORY = `interval '1 millisecond' * $5`

/** One row, locked for one statement: whatever comes at once is counted one after the other. Tidies up as it goes. */
const ATTEMPT = `
  WITH swept AS (DELETE FROM limit_counters WHERE key IN (
    SELECT key FROM limit_counters WHERE expires_at < now() AND key <> $1
    ORDER BY expires_at LIMIT 20 FOR UPDATE SKIP LOCKED))
  INSERT INTO limit_counters AS c (key, attempts, window_ends_at, expires_at)
  VALUES ($1, 1, now() + ${WINDOW}, now() + ${WINDOW})
  ON CONFLICT (key) DO UPDATE SET
    attempts = CASE WHEN ${LOCKED} OR ${EXCEEDED} THEN c.attempts WHEN ${ANEW} THEN 1 ELSE c.attempts + 1 END,
    lockouts = CASE WHEN ${LOCKED} THEN c.lockouts WHEN ${EXCEEDED} THEN c.lockouts + 1
      WHEN c.expires_at <= now() THEN 0 ELSE c.lockouts END,
    locked_until = CASE WHEN ${LOCKED} THEN c.locked_until WHEN ${EXCEEDED} THEN now() + ${LOCKOUT} ELSE 'epoch' END,
    window_ends_at = CASE WHEN ${LOCKED} OR ${EXCEEDED} THEN c.window_ends_at WHEN ${ANEW} THEN now() + ${WINDOW}
      ELSE c.window_ends_at END,
    expires_at = CASE WHEN ${LOCKED} THEN c.expires_at WHEN ${EXCEEDED} THEN now() + ${LOCKOUT} + ${WINDOW} + ${MEMORY}
      ELSE greatest(c.expires_at, now() + ${WINDOW}) END
  RETURNING ceil(extract(epoch FROM c.locked_until - now()))::integer AS seconds`

const LOCKOUT_OF = `
  SELECT ceil(extract(epoch FROM c.locked_until - now()))::integer AS seconds
  FROM limit_counters c WHERE c.key = $1 AND ${LOCKED}`

/** A lockout to which it led was none. */
const UNDONE = `(${LOCKED} AND c.attempts <= $2)`
const TAKE_BACK = `
  UPDATE limit_counters AS c SET attempts = c.attempts - 1,
    lockouts = CASE WHEN ${UNDONE} THEN greatest(c.lockouts - 1, 0) ELSE c.lockouts END,
    locked_until = CASE WHEN ${UNDONE} THEN 'epoch' ELSE c.locked_until END
  WHERE c.key = $1 AND c.attempts > 0`

/**
 * Attempts at what is worth guessing, in the database: another replica, or a restart, is no way around them. An attempt is
 * counted before it is made and taken back when it was good, so that a thousand at once are a thousand. A good one forgives
 * no other: otherwise whoever has an account could guess the rest of the time.
 */
@Injectable()
export class SharedLimits {
  private readonly log = new Logger(SharedLimits.name)

  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  /**
   * Runs what tells right from wrong. What it refuses its caller was a failure; what it gives, or our own fault, was none.
   * @param subject who is counted: `subjectOf` a request
   * @throws TooMany without running it
   */
  async guess<T>(limit: SharedLimit, subject: string, verify: () => Promise<T>): Promise<T> {
    await this.attempt(limit, subject)
    try {
      const known = await verify()
      await this.takeBack(limit, subject)
      return known
    } catch (error) {
      if (!isRefusal(error)) await this.takeBack(limit, subject)
      throw error
    }
  }

  /** @throws TooMany */
  async attempt(limit: SharedLimit, subject: string): Promise<void> {
    const { settings } = this
    // past any transaction: a refusal that rolls one back must not undo the count
    const [row]: { seconds: number }[] = await this.database.dataSource.query(ATTEMPT, [
      keyOf(limit, subject),
      settings.get(sharedLimits[limit]),
      settings.get('limits.failureWindowMs'),
      settings.get('limits.lockoutMs'),
      settings.get('limits.lockoutMaxMs'),
    ])
    if (row && row.seconds > 0) throw lockedOut(row.seconds)
  }

  /** Counts nothing: for the gate, before what a locked-out caller sends is read. @throws TooMany */
  async refuseLockedOut(limit: SharedLimit, subject: string): Promise<void> {
    const [row] = await this.database.query<{ seconds: number }>('limits_lockout', LOCKOUT_OF, [keyOf(limit, subject)])
    if (row) throw lockedOut(row.seconds)
  }

  /** It was no failure. One that cannot be taken back stays counted: nobody is refused for that. */
  async takeBack(limit: SharedLimit, subject: string): Promise<void> {
    const values = [keyOf(limit, subject), this.settings.get(sharedLimits[limit])]
    await this.database.dataSource
      .query(TAKE_BACK, values)
      .catch((err: unknown) => this.log.warn({ err }, 'an attempt that was good stays counted'))
  }
}

const isRefusal = (error: unknown): boolean => error instanceof Unauthenticated || error instanceof Forbidden

const lockedOut = (seconds: number): TooMany => new TooMany('too many attempts have failed', seconds)

const keyOf = (limit: SharedLimit, subject: string): string => `${limit}:${subject}`
