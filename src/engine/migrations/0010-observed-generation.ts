import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Of which generation of a storage connection it is what was seen last: what was seen of an earlier one may be no longer true. */
export class ObservedGeneration0010 implements MigrationInterface {
  readonly name = 'ObservedGeneration0010'

  async up(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE storage_connections ADD COLUMN observed_generation integer')
    // where a change is under way nobody knows: the next that is seen says so
    await db.query(`UPDATE storage_connections
       SET observed_generation = CASE provisioning_status WHEN 'ACTIVE' THEN generation ELSE 0 END WHERE observed_at IS NOT NULL`)
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('ALTER TABLE storage_connections DROP COLUMN observed_generation')
  }
}
