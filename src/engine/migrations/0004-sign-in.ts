import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Signing in: providers that know users, and what of roles and sessions came from them. */
export class SignIn0004 implements MigrationInterface {
  readonly name = 'SignIn0004'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  `CREATE TABLE identity_providers (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     name text NOT NULL,
     display_name text NOT NULL DEFAULT '',
     issuer text NOT NULL,
     client_id text NOT NULL,
     sealed_client_secret text,
     public_url text,
     scopes jsonb NOT NULL,
     name_claim text NOT NULL,
     groups_claim text NOT NULL,
     group_roles jsonb NOT NULL,
     enabled boolean NOT NULL DEFAULT true,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_identity_providers_name UNIQUE (name)
   )`,

  // by issuer and not by provider: one that is made anew knows the same people
  `CREATE TABLE external_identities (
     issuer text NOT NULL,
     subject text NOT NULL,
     user_id uuid NOT NULL CONSTRAINT fk_external_identities_user_id REFERENCES users (id) ON DELETE CASCADE,
     created_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT pk_external_identities PRIMARY KEY (issuer, subject)
   )`,
  `CREATE INDEX ix_external_identities_user_id ON external_identities (user_id)`,

  // Null: given here. What a provider gave goes with it.
  `ALTER TABLE role_bindings ADD COLUMN provider_id uuid
     CONSTRAINT fk_role_bindings_provider_id REFERENCES identity_providers (id) ON DELETE CASCADE`,
  `CREATE INDEX ix_role_bindings_provider_id ON role_bindings (provider_id)`,
  // Null: by password.
  `ALTER TABLE web_sessions ADD COLUMN provider_id uuid
     CONSTRAINT fk_web_sessions_provider_id REFERENCES identity_providers (id) ON DELETE CASCADE`,
  `CREATE INDEX ix_web_sessions_provider_id ON web_sessions (provider_id)`,

  // Instead of `body`, where the reply shows a secret.
  `ALTER TABLE idempotency_keys ADD COLUMN sealed_body text`,
]

const down = [
  // a reply without its body would be no repeat
  'DELETE FROM idempotency_keys WHERE sealed_body IS NOT NULL',
  'ALTER TABLE idempotency_keys DROP COLUMN sealed_body',
  'ALTER TABLE web_sessions DROP COLUMN provider_id',
  // without its provider nobody would ever take it away again
  'DELETE FROM role_bindings WHERE provider_id IS NOT NULL',
  'ALTER TABLE role_bindings DROP COLUMN provider_id',
  ...['external_identities', 'identity_providers'].map((table) => `DROP TABLE ${table}`),
]
