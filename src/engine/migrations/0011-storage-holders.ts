import type { MigrationInterface, QueryRunner } from 'typeorm'

/** What tells who holds a storage target, and since when. */
export class StorageHolders0011 implements MigrationInterface {
  readonly name = 'StorageHolders0011'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  `ALTER TABLE storage_connections
     ADD COLUMN target_since timestamptz,
     ADD COLUMN preexisting boolean NOT NULL DEFAULT false`,
  // nobody wrote down when a target became another: it is not longer than that
  'UPDATE storage_connections SET target_since = created_at WHERE target_id IS NOT NULL',

  `ALTER TABLE own_storage_connections
     ADD COLUMN target_id text,
     ADD COLUMN target_since timestamptz NOT NULL DEFAULT now(),
     ADD COLUMN preexisting boolean NOT NULL DEFAULT false,
     ADD COLUMN leaving boolean NOT NULL DEFAULT false`,
  // as targetIdOf does
  `UPDATE own_storage_connections SET target_since = created_at, target_id = left(translate(encode(sha256(convert_to(
     CASE WHEN lower(split_part(target, ':', 1)) IN ('local', 'posix') AND target !~ '^[^:]*://[^/]'
          THEN host_id || ' ' || target ELSE target END, 'UTF8')), 'base64'), '+/=', '-_'), 22)`,
  'ALTER TABLE own_storage_connections ALTER COLUMN target_id SET NOT NULL',
  'CREATE INDEX ix_own_storage_connections_target_id ON own_storage_connections (target_id)',

  `CREATE TABLE untold_storage_connections (
     host_id uuid CONSTRAINT fk_untold_storage_connections_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     count integer NOT NULL,
     CONSTRAINT pk_untold_storage_connections PRIMARY KEY (host_id)
   )`,
]

const down = [
  'DROP TABLE untold_storage_connections',
  'DROP INDEX ix_own_storage_connections_target_id',
  `ALTER TABLE own_storage_connections DROP COLUMN target_id, DROP COLUMN target_since, DROP COLUMN preexisting,
     DROP COLUMN leaving`,
  'ALTER TABLE storage_connections DROP COLUMN target_since, DROP COLUMN preexisting',
]
