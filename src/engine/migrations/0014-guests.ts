import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Images, volumes and guests, what each host has promised them, and the queue of what is said to each guest. */
export class Guests0014 implements MigrationInterface {
  readonly name = 'Guests0014'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  // No host is told of one before a guest there is made of it.
  `CREATE TABLE images (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid NOT NULL CONSTRAINT fk_images_project_id REFERENCES projects (id),
     name text NOT NULL,
     description text NOT NULL DEFAULT '',
     format text NOT NULL,
     connection_id text NOT NULL,
     files jsonb NOT NULL,
     command_line text NOT NULL DEFAULT '',
     os text NOT NULL DEFAULT '',
     default_user text,
     has_agent boolean NOT NULL,
     min_disk_mib integer NOT NULL DEFAULT 0,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_images_project_id_name UNIQUE (project_id, name)
   )`,

  `CREATE TABLE guests (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid NOT NULL CONSTRAINT fk_guests_project_id REFERENCES projects (id),
     name text NOT NULL,
     labels jsonb NOT NULL DEFAULT '{}',
     image_id uuid NOT NULL CONSTRAINT fk_guests_image_id REFERENCES images (id),
     vcpus integer NOT NULL,
     memory_mib integer NOT NULL,
     ssh_keys text[] NOT NULL DEFAULT '{}',
     sealed_user_data text,
     placement jsonb NOT NULL DEFAULT '{}',
     restart_policy text NOT NULL,
     boot_timeout_ms integer NOT NULL,
     prepare_timeout_ms integer NOT NULL,
     stop_grace_ms integer NOT NULL,
     host_id uuid NOT NULL CONSTRAINT fk_guests_host_id REFERENCES hosts (id),
     placement_generation integer NOT NULL DEFAULT 1,
     build integer NOT NULL DEFAULT 1,
     power text NOT NULL DEFAULT 'RUNNING',
     generation integer NOT NULL DEFAULT 1,
     intent_digest text NOT NULL DEFAULT '',
     provisioning_status text NOT NULL,
     step text,
     step_deadline_at timestamptz,
     command_id uuid,
     fault jsonb,
     fault_at timestamptz,
     console_tail text,
     operating_status text NOT NULL DEFAULT 'UNKNOWN',
     boot_id text,
     agent_port text NOT NULL DEFAULT 'NEVER',
     restarts integer NOT NULL DEFAULT 0,
     observed_fault jsonb,
     observed_at timestamptz,
     observed_generation integer,
     pong_boot_id text,
     pong_at timestamptz,
     active_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_guests_project_id_name UNIQUE (project_id, name)
   ) WITH (fillfactor = 70)`,
  'CREATE INDEX ix_guests_created_at ON guests (created_at, id)',
  'CREATE INDEX ix_guests_host_id ON guests (host_id)',
  'CREATE INDEX ix_guests_image_id ON guests (image_id)',
  `CREATE INDEX ix_guests_step_deadline_at ON guests (step_deadline_at) WHERE step_deadline_at IS NOT NULL`,

  `CREATE TABLE guest_nics (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     guest_id uuid NOT NULL CONSTRAINT fk_guest_nics_guest_id REFERENCES guests (id) ON DELETE CASCADE,
     position integer NOT NULL,
     network_id uuid NOT NULL CONSTRAINT fk_guest_nics_network_id REFERENCES networks (id),
     address inet NOT NULL,
     mac text NOT NULL,
     CONSTRAINT uq_guest_nics_guest_id_position UNIQUE (guest_id, position),
     CONSTRAINT uq_guest_nics_mac UNIQUE (mac)
   )`,
  'CREATE INDEX ix_guest_nics_network_id ON guest_nics (network_id)',

  `CREATE TABLE volumes (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid NOT NULL CONSTRAINT fk_volumes_project_id REFERENCES projects (id),
     name text NOT NULL,
     connection_id text NOT NULL,
     host_id uuid CONSTRAINT fk_volumes_host_id REFERENCES hosts (id),
     format text NOT NULL,
     size_mib integer NOT NULL,
     image_id uuid CONSTRAINT fk_volumes_image_id REFERENCES images (id),
     snapshot_origin jsonb,
     guest_id uuid CONSTRAINT fk_volumes_guest_id REFERENCES guests (id),
     position integer,
     goes_with_guest boolean NOT NULL DEFAULT false,
     generation integer NOT NULL DEFAULT 1,
     command_id uuid,
     provisioning_status text NOT NULL,
     fault jsonb,
     fault_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now()
   )`,
  'CREATE INDEX ix_volumes_project_id_created_at ON volumes (project_id, created_at, id)',
  'CREATE INDEX ix_volumes_guest_id ON volumes (guest_id, position) WHERE guest_id IS NOT NULL',
  'CREATE INDEX ix_volumes_host_id ON volumes (host_id) WHERE host_id IS NOT NULL',
  'CREATE INDEX ix_volumes_image_id ON volumes (image_id) WHERE image_id IS NOT NULL',
  'CREATE INDEX ix_volumes_connection_id ON volumes (connection_id)',

  // What a host has promised to all of its guests: raised and lowered with the rows of the next table, by compare-and-set.
  `CREATE TABLE host_promises (
     host_id uuid PRIMARY KEY CONSTRAINT fk_host_promises_host_id REFERENCES hosts (id) ON DELETE CASCADE,
     guests integer NOT NULL DEFAULT 0,
     vcpus integer NOT NULL DEFAULT 0,
     memory_mib bigint NOT NULL DEFAULT 0
   ) WITH (fillfactor = 50)`,
  // A guest that moves has one at both of its hosts.
  `CREATE TABLE guest_claims (
     guest_id uuid NOT NULL CONSTRAINT fk_guest_claims_guest_id REFERENCES guests (id) ON DELETE CASCADE,
     host_id uuid NOT NULL CONSTRAINT fk_guest_claims_host_id REFERENCES hosts (id),
     vcpus integer NOT NULL,
     memory_mib integer NOT NULL,
     CONSTRAINT pk_guest_claims PRIMARY KEY (guest_id, host_id)
   )`,
  'CREATE INDEX ix_guest_claims_host_id ON guest_claims (host_id)',

  // The queue of what is said to a guest: made with it, and gone with it (G1).
  `CREATE TABLE guest_messages (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     guest_id uuid NOT NULL CONSTRAINT fk_guest_messages_guest_id REFERENCES guests (id) ON DELETE CASCADE,
     project_id uuid NOT NULL CONSTRAINT fk_guest_messages_project_id REFERENCES projects (id),
     build integer NOT NULL,
     kind text NOT NULL,
     summary jsonb NOT NULL,
     sealed_task text,
     run_timeout_ms integer NOT NULL,
     state text NOT NULL DEFAULT 'waiting',
     ping_command_id uuid,
     command_id uuid,
     boot_id text,
     pings integer NOT NULL DEFAULT 0,
     pong_at timestamptz,
     exit_code integer,
     output text,
     fault jsonb,
     created_at timestamptz NOT NULL DEFAULT now(),
     ended_at timestamptz
   )`,
  'CREATE INDEX ix_guest_messages_guest_id_created_at ON guest_messages (guest_id, created_at, id)',

  `CREATE TABLE guest_snapshots (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     guest_id uuid NOT NULL CONSTRAINT fk_guest_snapshots_guest_id REFERENCES guests (id) ON DELETE CASCADE,
     project_id uuid NOT NULL CONSTRAINT fk_guest_snapshots_project_id REFERENCES projects (id),
     name text NOT NULL,
     volumes jsonb NOT NULL,
     quiesced boolean,
     generation integer NOT NULL DEFAULT 1,
     command_id uuid,
     provisioning_status text NOT NULL,
     fault jsonb,
     fault_at timestamptz,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT uq_guest_snapshots_guest_id_name UNIQUE (guest_id, name)
   )`,
]

const down = [
  'DROP TABLE guest_snapshots',
  'DROP TABLE guest_messages',
  'DROP TABLE guest_claims',
  'DROP TABLE host_promises',
  'DROP TABLE volumes',
  'DROP TABLE guest_nics',
  'DROP TABLE guests',
  'DROP TABLE images',
]
