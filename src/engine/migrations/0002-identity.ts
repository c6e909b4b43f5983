import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Users, projects, roles, tokens and web sessions; which project things belong to; sealed secrets. */
export class Identity0002 implements MigrationInterface {
  readonly name = 'Identity0002'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const DEFAULT_PROJECT = `'00000000-0000-4000-8000-00000000d0d0'`

const up = [
  `CREATE TABLE sealing_checks (
     key_id text PRIMARY KEY,
     sealed text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,

  `CREATE TABLE projects (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     name text NOT NULL,
     description text NOT NULL DEFAULT '',
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_projects_name UNIQUE (name)
   )`,
  `INSERT INTO projects (id, name, description) VALUES (${DEFAULT_PROJECT}, 'default', 'What was asked for without a project.')`,

  `CREATE TABLE users (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     kind text NOT NULL,
     name text NOT NULL,
     display_name text NOT NULL DEFAULT '',
     email text,
     password_hash text,
     must_change_password boolean NOT NULL DEFAULT false,
     disabled boolean NOT NULL DEFAULT false,
     failed_logins integer NOT NULL DEFAULT 0,
     locked_until timestamptz,
     last_login_at timestamptz,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_users_name UNIQUE (name)
   )`,

  `CREATE TABLE role_bindings (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     user_id uuid NOT NULL CONSTRAINT fk_role_bindings_user_id REFERENCES users (id) ON DELETE CASCADE,
     project_id uuid CONSTRAINT fk_role_bindings_project_id REFERENCES projects (id) ON DELETE CASCADE,
     role text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  // one role for each place; the whole plane is one
  `CREATE UNIQUE INDEX uq_role_bindings_user_id_project_id ON role_bindings (user_id, project_id) NULLS NOT DISTINCT`,
  `CREATE INDEX ix_role_bindings_project_id ON role_bindings (project_id)`,

  `CREATE TABLE api_tokens (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     user_id uuid NOT NULL CONSTRAINT fk_api_tokens_user_id REFERENCES users (id) ON DELETE CASCADE,
     name text NOT NULL,
     secret_hash bytea NOT NULL,
     role text,
     project_id uuid CONSTRAINT fk_api_tokens_project_id REFERENCES projects (id) ON DELETE CASCADE,
     unlimited boolean NOT NULL DEFAULT false,
     expires_at timestamptz,
     last_used_at timestamptz,
     revoked_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  `CREATE INDEX ix_api_tokens_user_id ON api_tokens (user_id)`,

  `CREATE TABLE web_sessions (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     user_id uuid NOT NULL CONSTRAINT fk_web_sessions_user_id REFERENCES users (id) ON DELETE CASCADE,
     secret_hash bytea NOT NULL,
     address text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT now(),
     expires_at timestamptz NOT NULL
   )`,
  `CREATE INDEX ix_web_sessions_user_id ON web_sessions (user_id)`,
  `CREATE INDEX ix_web_sessions_expires_at ON web_sessions (expires_at)`,

  // Null: the plane's own.
  `ALTER TABLE events ADD COLUMN project_id uuid`,
  `ALTER TABLE commands ADD COLUMN project_id uuid`,
  `ALTER TABLE storage_connections ADD COLUMN project_id uuid NOT NULL DEFAULT ${DEFAULT_PROJECT}
     CONSTRAINT fk_storage_connections_project_id REFERENCES projects (id)`,
  `CREATE INDEX ix_storage_connections_project_id ON storage_connections (project_id)`,
]

const down = [
  'ALTER TABLE storage_connections DROP COLUMN project_id',
  'ALTER TABLE commands DROP COLUMN project_id',
  'ALTER TABLE events DROP COLUMN project_id',
  ...['web_sessions', 'api_tokens', 'role_bindings', 'users', 'projects', 'sealing_checks'].map(
    (table) => `DROP TABLE ${table}`,
  ),
]
