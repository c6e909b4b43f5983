import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Certificate authorities, hosts' certificates, join tokens, and the keys of TLS session tickets. */
export class HostCertificates0003 implements MigrationInterface {
  readonly name = 'HostCertificates0003'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const table of tables) await db.query(`DROP TABLE ${table}`)
  }
}

const up = [
  `CREATE TABLE certificate_authorities (
     fingerprint text PRIMARY KEY,
     certificate text NOT NULL,
     sealed_key text,
     not_after timestamptz NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp()
   )`,

  `CREATE TABLE host_certificates (
     serial text PRIMARY KEY,
     host_id uuid NOT NULL CONSTRAINT fk_host_certificates_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     fingerprint text NOT NULL,
     not_before timestamptz NOT NULL,
     not_after timestamptz NOT NULL,
     revoked_at timestamptz,
     revoked_reason text,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp()
   )`,
  `CREATE INDEX ix_host_certificates_host_id ON host_certificates (host_id)`,

  `CREATE TABLE join_tokens (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     secret_hash bytea NOT NULL,
     name text,
     uses integer NOT NULL,
     used integer NOT NULL DEFAULT 0,
     replace boolean NOT NULL,
     expires_at timestamptz NOT NULL,
     last_used_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp()
   )`,
  `CREATE INDEX ix_join_tokens_expires_at ON join_tokens (expires_at)`,

  `CREATE TABLE tls_ticket_keys (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     sealed text NOT NULL,
     created_at timestamptz NOT NULL DEFAULT clock_timestamp()
   )`,
]

const tables = ['tls_ticket_keys', 'join_tokens', 'host_certificates', 'certificate_authorities']
