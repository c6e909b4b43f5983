import type { MigrationInterface, QueryRunner } from 'typeorm'

/** The audit log: rows as calls leave them, the chain that one writer makes of them, and where it begins. */
export class Audit0006 implements MigrationInterface {
  readonly name = 'Audit0006'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

/** To the millisecond, so that what is hashed is what is read back. */
const content = `
     at timestamptz(3) NOT NULL,
     request_id text,
     user_id uuid,
     user_name text NOT NULL,
     token_id uuid,
     address text NOT NULL,
     operation text,
     method text NOT NULL,
     path text NOT NULL,
     subjects text[] NOT NULL DEFAULT '{}',
     project_id uuid,
     status integer NOT NULL,
     problem text,
     corrects bigint`

const up = [
  // Written within the transactions of calls: no index but its order, and never long.
  `CREATE TABLE audit_unchained (
     id bigint GENERATED ALWAYS AS IDENTITY,
     incarnation integer NOT NULL,
     xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,${content},
     CONSTRAINT pk_audit_unchained PRIMARY KEY (incarnation, xid, id)
   )`,

  `CREATE TABLE audit_entries (
     seq bigint PRIMARY KEY,
     id bigint NOT NULL,${content},
     previous_hash text NOT NULL,
     hash text NOT NULL
   )`,
  `CREATE INDEX ix_audit_entries_at ON audit_entries (at)`,
  `CREATE INDEX ix_audit_entries_user_id_seq ON audit_entries (user_id, seq)`,
  `CREATE INDEX ix_audit_entries_user_name_seq ON audit_entries (user_name, seq)`,
  `CREATE INDEX ix_audit_entries_request_id ON audit_entries (request_id)`,
  `CREATE INDEX ix_audit_entries_operation_seq ON audit_entries (operation, seq)`,
  `CREATE INDEX ix_audit_entries_project_id_seq ON audit_entries (project_id, seq)`,
  `CREATE INDEX ix_audit_entries_subjects ON audit_entries USING gin (subjects)`,

  // The last row that retention has removed each time: what is left begins after the newest of them.
  `CREATE TABLE audit_anchors (
     seq bigint PRIMARY KEY,
     hash text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  `INSERT INTO audit_anchors (seq, hash) VALUES (0, repeat('0', 64))`,
]

const down = ['audit_anchors', 'audit_entries', 'audit_unchained'].map((table) => `DROP TABLE ${table}`)
