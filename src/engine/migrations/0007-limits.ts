import type { MigrationInterface, QueryRunner } from 'typeorm'

/** What all replicas count together: failed sign-ins and enrolments. */
export class Limits0007 implements MigrationInterface {
  readonly name = 'Limits0007'

  async up(db: QueryRunner): Promise<void> {
    await db.query(`CREATE TABLE limit_counters (
       key text PRIMARY KEY,
       attempts integer NOT NULL,
       lockouts integer NOT NULL DEFAULT 0,
       locked_until timestamptz NOT NULL DEFAULT 'epoch',
       window_ends_at timestamptz NOT NULL,
       expires_at timestamptz NOT NULL
     ) WITH (fillfactor = 70)`)
    await db.query('CREATE INDEX ix_limit_counters_expires_at ON limit_counters (expires_at)')
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE limit_counters')
  }
}
