import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Credentials of storage connections, storages that the plane keeps on many hosts, and the targets behind them. */
export class Storage0008 implements MigrationInterface {
  readonly name = 'Storage0008'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  // what of a payload is secret; gone when the command has ended
  'ALTER TABLE commands ADD COLUMN sealed_secrets text',

  // What the plane keeps on every host that its selector matches. How it goes is told by its rows on hosts.
  `CREATE TABLE storages (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid NOT NULL CONSTRAINT fk_storages_project_id REFERENCES projects (id),
     name text NOT NULL,
     uri text NOT NULL,
     options jsonb NOT NULL DEFAULT '{}',
     sealed_credentials text,
     credential_names text[] NOT NULL DEFAULT '{}',
     selector jsonb NOT NULL,
     generation integer NOT NULL DEFAULT 1,
     intent_generation integer NOT NULL DEFAULT 1,
     placed_generation integer NOT NULL DEFAULT 0,
     deleting boolean NOT NULL DEFAULT false,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_storages_project_id_name UNIQUE (project_id, name)
   ) WITH (fillfactor = 70)`,

  // Matching hosts that could not be given a row, and why: shown, and tried again.
  `CREATE TABLE storage_refusals (
     storage_id uuid NOT NULL CONSTRAINT fk_storage_refusals_storage_id REFERENCES storages (id) ON DELETE CASCADE,
     host_id uuid NOT NULL CONSTRAINT fk_storage_refusals_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     fault jsonb NOT NULL,
     refused_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT pk_storage_refusals PRIMARY KEY (storage_id, host_id)
   )`,
  'CREATE INDEX ix_storage_refusals_host_id ON storage_refusals (host_id)',

  `ALTER TABLE storage_connections
     ADD COLUMN sealed_credentials text,
     ADD COLUMN credential_names text[] NOT NULL DEFAULT '{}',
     ADD COLUMN storage_id uuid CONSTRAINT fk_storage_connections_storage_id REFERENCES storages (id),
     ADD COLUMN storage_generation integer,
     ADD COLUMN target_id text,
     ADD COLUMN connected_since timestamptz`,
  // most connections are of no storage: they cost this index nothing
  `CREATE INDEX ix_storage_connections_storage_id ON storage_connections (storage_id, host_id) WHERE storage_id IS NOT NULL`,
  // of the hash, as a target may be longer than an index takes
  `CREATE INDEX ix_storage_connections_target_id ON storage_connections (target_id) WHERE target_id IS NOT NULL`,
  // as targetIdOf does: before this, all targets were their host's own
  `UPDATE storage_connections SET target_id = left(translate(
     encode(sha256(convert_to(host_id || ' ' || target, 'UTF8')), 'base64'), '+/=', '-_'), 22)
   WHERE target IS NOT NULL`,
  `UPDATE storage_connections SET connected_since = coalesce(observed_at, updated_at)
   WHERE operating_status IN ('UP', 'DEGRADED')`,
]

const down = [
  'DROP INDEX ix_storage_connections_target_id',
  'DROP INDEX ix_storage_connections_storage_id',
  `ALTER TABLE storage_connections DROP COLUMN sealed_credentials, DROP COLUMN credential_names, DROP COLUMN storage_id,
     DROP COLUMN storage_generation, DROP COLUMN target_id, DROP COLUMN connected_since`,
  'DROP TABLE storage_refusals',
  'DROP TABLE storages',
  'ALTER TABLE commands DROP COLUMN sealed_secrets',
]
