import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Quotas of projects, and the order in which a project's events and commands are read. */
export class Quotas0005 implements MigrationInterface {
  readonly name = 'Quotas0005'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  // In the row that every foreign key to the project locks anyway: docs/adr/0024.
  `ALTER TABLE projects ADD COLUMN limits jsonb NOT NULL DEFAULT '{}',
     ADD COLUMN limits_settled boolean NOT NULL DEFAULT true,
     ADD COLUMN limits_generation integer NOT NULL DEFAULT 1`,
  // A project of few things between many: neither list looks through those of others.
  `CREATE INDEX ix_events_project_id ON events (project_id, incarnation, xid, id) WHERE project_id IS NOT NULL`,
  `CREATE INDEX ix_commands_project_id ON commands (project_id, created_at, id) WHERE project_id IS NOT NULL`,
]

const down = [
  'DROP INDEX ix_commands_project_id',
  'DROP INDEX ix_events_project_id',
  'ALTER TABLE projects DROP COLUMN limits_generation, DROP COLUMN limits_settled, DROP COLUMN limits',
]
