import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { TooMany } from '../platform/errors.js'
import { Settings } from '../platform/settings.js'

/** A locked address is remembered, so that its next attempts cost no statement. */
const MAX_REMEMBERED = 10_000

/**
 * Locks an address out from which join tokens are guessed, on every replica: the count is the database's. Enrolments that
 * succeed are not counted, since a thousand hosts may come from behind one address.
 */
@Injectable()
export class EnrolmentLimit {
  private readonly lockedUntilMs = new Map<string, number>()

  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
  ) {}

  /** @throws TooMany */
  async require(address: string): Promise<void> {
    const rememberedMs = this.lockedUntilMs.get(address) ?? 0
    if (rememberedMs > performance.now()) throw lockedOut(rememberedMs - performance.now())
    this.lockedUntilMs.delete(address)
    const [row] = await this.database.query<{ left_ms: number }>(
      'enrolment_limit_find',
      `SELECT (extract(epoch FROM locked_until - now()) * 1000)::float8 AS left_ms
       FROM enrolment_failures WHERE address = $1 AND locked_until > now()`,
      [address],
    )
    if (!row) return
    if (this.lockedUntilMs.size >= MAX_REMEMBERED) this.lockedUntilMs.clear()
    this.lockedUntilMs.set(address, performance.now() + row.left_ms)
    throw lockedOut(row.left_ms)
  }

  /** Failures further apart than a lock lasts do not add up. */
  async failed(address: string): Promise<void> {
    await this.database.dataSource.query(
      `INSERT INTO enrolment_failures AS f (address, failures) VALUES ($1, 1)
       ON CONFLICT (address) DO UPDATE SET last_at = now(),
         failures = CASE WHEN f.last_at < now() - $2::float8 * interval '1 millisecond' OR f.locked_until <= now() THEN 1 ELSE f.failures + 1 END,
         locked_until = CASE WHEN f.locked_until > now() THEN f.locked_until
           WHEN f.last_at >= now() - $2::float8 * interval '1 millisecond' AND f.locked_until IS NULL AND f.failures + 1 >= $3
           THEN now() + $2::float8 * interval '1 millisecond' END`,
      [address, this.settings.get('enrolment.lockMs'), this.settings.get('enrolment.failuresUntilLock')],
    )
  }

  async removeOld(): Promise<void> {
    await this.database.dataSource.query(
      `DELETE FROM enrolment_failures
       WHERE last_at < now() - interval '1 day' AND (locked_until IS NULL OR locked_until < now())`,
    )
  }
}

const lockedOut = (leftMs: number): TooMany =>
  new TooMany('too many join tokens from this address were none', Math.max(1, Math.ceil(leftMs / 1_000)), 'locked-out')
