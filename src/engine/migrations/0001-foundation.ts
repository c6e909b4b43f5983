import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Hosts, the command queue, events, storage connections, and what the platform keeps for itself. */
export class Foundation0001 implements MigrationInterface {
  readonly name = 'Foundation0001'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

/** Changes with a restore into another cluster (identifier) and with a recovery to a point in time (timeline). */
const CLUSTER_ID = `(pg_control_system()).system_identifier || '/' || (pg_control_checkpoint()).timeline_id`

const up = [
  // One row per life of the database: a restore that hosts prove to be older starts a new one.
  `CREATE TABLE incarnations (
     number integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
     id uuid NOT NULL DEFAULT gen_random_uuid(),
     cluster_id text NOT NULL,
     reason text NOT NULL,
     started_at timestamptz NOT NULL DEFAULT now()
   )`,
  `INSERT INTO incarnations (cluster_id, reason) SELECT ${CLUSTER_ID}, 'created'`,

  `CREATE TABLE settings (
     key text PRIMARY KEY,
     value jsonb NOT NULL,
     generation integer NOT NULL DEFAULT 1,
     updated_at timestamptz NOT NULL DEFAULT now()
   )`,

  `CREATE TABLE schedules (
     name text PRIMARY KEY,
     next_run_at timestamptz NOT NULL DEFAULT now(),
     lease_until timestamptz,
     leased_by uuid,
     last_started_at timestamptz,
     last_duration_ms integer,
     last_outcome text,
     last_error text
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE idempotency_keys (
     scope text NOT NULL,
     key text NOT NULL,
     fingerprint text NOT NULL,
     status integer,
     headers jsonb,
     body jsonb,
     created_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT pk_idempotency_keys PRIMARY KEY (scope, key)
   )`,
  `CREATE INDEX ix_idempotency_keys_created_at ON idempotency_keys (created_at)`,

  // Order is (incarnation, xid, id): serial ids alone commit out of order, xids alone restart with a new cluster.
  `CREATE TABLE events (
     id bigint GENERATED ALWAYS AS IDENTITY,
     incarnation integer NOT NULL,
     xid bigint NOT NULL DEFAULT pg_current_xact_id()::text::bigint,
     at timestamptz NOT NULL DEFAULT now(),
     type text NOT NULL,
     subject text NOT NULL,
     host_id uuid,
     request_id text,
     payload jsonb NOT NULL DEFAULT '{}',
     CONSTRAINT pk_events PRIMARY KEY (incarnation, xid, id)
   )`,
  `CREATE INDEX ix_events_at ON events (at)`,
  `CREATE INDEX ix_events_subject ON events (subject, incarnation, xid, id)`,

  `CREATE TABLE replicas (
     id uuid PRIMARY KEY,
     name text NOT NULL,
     version text NOT NULL,
     address text NOT NULL,
     started_at timestamptz NOT NULL DEFAULT now(),
     lease_until timestamptz NOT NULL
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE hosts (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     name text NOT NULL,
     labels jsonb NOT NULL DEFAULT '{}',
     status text NOT NULL DEFAULT 'Down',
     status_reason text,
     status_since timestamptz NOT NULL DEFAULT now(),
     agent_id uuid,
     agent_version text,
     protocol integer,
     boot_id text,
     kinds text[] NOT NULL DEFAULT '{}',
     capabilities text[] NOT NULL DEFAULT '{}',
     facts jsonb,
     connected boolean NOT NULL DEFAULT false,
     session_epoch bigint NOT NULL DEFAULT 0,
     owner_replica_id uuid,
     session_opened_at timestamptz,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_hosts_name UNIQUE (name)
   ) WITH (fillfactor = 70)`,
  `CREATE INDEX ix_hosts_owner_replica_id ON hosts (owner_replica_id)`,

  // Apart from hosts, so that numbering commands never waits for a session that opens.
  `CREATE TABLE host_sequences (
     host_id uuid PRIMARY KEY CONSTRAINT fk_host_sequences_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     last_seq bigint NOT NULL DEFAULT 0
   ) WITH (fillfactor = 50)`,

  `CREATE TABLE commands (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     host_id uuid NOT NULL,
     seq bigint NOT NULL,
     kind text NOT NULL,
     subject text NOT NULL,
     generation integer NOT NULL,
     payload jsonb NOT NULL,
     state text NOT NULL DEFAULT 'queued',
     attempts integer NOT NULL DEFAULT 0,
     epoch bigint,
     permitted boolean NOT NULL DEFAULT false,
     late boolean NOT NULL DEFAULT false,
     request_id text,
     result jsonb,
     fault jsonb,
     settle_error text,
     created_at timestamptz NOT NULL DEFAULT now(),
     dispatched_at timestamptz,
     deadline_at timestamptz,
     finished_at timestamptz
   ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX uq_commands_host_id_seq ON commands (host_id, seq)`,
  // The queue itself stays small however long the history: finished_at changes once in a command's life.
  `CREATE INDEX ix_commands_unfinished ON commands (host_id, seq) WHERE finished_at IS NULL`,
  `CREATE INDEX ix_commands_unfinished_subject ON commands (host_id, subject) WHERE finished_at IS NULL`,
  `CREATE INDEX ix_commands_deadline ON commands (deadline_at) WHERE finished_at IS NULL AND deadline_at IS NOT NULL`,
  `CREATE INDEX ix_commands_created_at ON commands (created_at, id)`,

  // Evidence that something was meant to go: without one, nothing is removed from a host by itself.
  `CREATE TABLE tombstones (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     host_id uuid NOT NULL CONSTRAINT fk_tombstones_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     subject text NOT NULL,
     generation integer NOT NULL,
     state text NOT NULL DEFAULT 'waiting',
     created_at timestamptz NOT NULL DEFAULT now(),
     ended_at timestamptz
   )`,
  `CREATE UNIQUE INDEX uq_tombstones_host_id_subject ON tombstones (host_id, subject)`,
  `CREATE INDEX ix_tombstones_created_at ON tombstones (created_at, id)`,

  // What hosts hold and the database does not know, or knows in an older version: shown, never removed by itself.
  `CREATE TABLE quarantine (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     host_id uuid NOT NULL CONSTRAINT fk_quarantine_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     subject text NOT NULL,
     generation integer NOT NULL,
     reason text NOT NULL,
     status text NOT NULL,
     detail jsonb NOT NULL DEFAULT '{}',
     state text NOT NULL DEFAULT 'held',
     found_at timestamptz NOT NULL DEFAULT now(),
     ended_at timestamptz
   )`,
  `CREATE UNIQUE INDEX uq_quarantine_host_id_subject ON quarantine (host_id, subject)`,
  `CREATE INDEX ix_quarantine_found_at ON quarantine (found_at, id)`,

  `CREATE TABLE storage_connections (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     host_id uuid NOT NULL CONSTRAINT fk_storage_connections_host_id REFERENCES hosts (id),
     connection_id text NOT NULL,
     uri text NOT NULL,
     options jsonb NOT NULL DEFAULT '{}',
     target text,
     generation integer NOT NULL DEFAULT 1,
     command_id uuid,
     provisioning_status text NOT NULL,
     operating_status text NOT NULL DEFAULT 'UNKNOWN',
     fault jsonb,
     fault_at timestamptz,
     observed_fault jsonb,
     observed_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now()
   ) WITH (fillfactor = 70)`,
  `CREATE UNIQUE INDEX uq_storage_connections_host_id_connection_id ON storage_connections (host_id, connection_id)`,
]

const down = [
  'storage_connections',
  'quarantine',
  'tombstones',
  'commands',
  'host_sequences',
  'hosts',
  'replicas',
  'events',
  'idempotency_keys',
  'schedules',
  'settings',
  'incarnations',
].map((table) => `DROP TABLE ${table}`)
