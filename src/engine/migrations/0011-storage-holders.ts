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
  'ALTER TABLE storage_connections ADD COLUMN target_since timestamptz',
  // nobody wrote down when a target became another: it is not longer than that
  'UPDATE storage_connections SET target_since = created_at WHERE target_id IS NOT NULL',
]

const down = ['ALTER TABLE storage_connections DROP COLUMN target_since']
