import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Networks, and each of their addresses with who has it. */
export class Networks0012 implements MigrationInterface {
  readonly name = 'Networks0012'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const up = [
  `CREATE TABLE networks (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid CONSTRAINT fk_networks_project_id REFERENCES projects (id),
     name text NOT NULL,
     description text NOT NULL DEFAULT '',
     cidr cidr NOT NULL,
     gateway inet,
     ranges jsonb NOT NULL,
     size integer NOT NULL,
     bridge text,
     create_bridge boolean NOT NULL DEFAULT false,
     uplink text,
     vlan integer,
     host_is_gateway boolean NOT NULL DEFAULT false,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now()
   )`,
  // those of no project are a namespace of their own
  'CREATE UNIQUE INDEX uq_networks_project_id_name ON networks (project_id, name) NULLS NOT DISTINCT',

  // A row for each address that can be had, and for those beyond the ranges that somebody has asked for by name.
  `CREATE TABLE network_addresses (
     network_id uuid NOT NULL CONSTRAINT fk_network_addresses_network_id REFERENCES networks (id) ON DELETE CASCADE,
     address inet NOT NULL,
     pooled boolean NOT NULL DEFAULT true,
     holder_noun text,
     holder_id text,
     project_id uuid,
     since timestamptz,
     CONSTRAINT pk_network_addresses PRIMARY KEY (network_id, address)
   )`,
  // The lowest free one is the first of this. As an expression: else Postgres takes the primary key, and reads all that are held.
  'CREATE INDEX ix_network_addresses_free ON network_addresses (network_id, (address + 0)) WHERE holder_id IS NULL',
  'CREATE INDEX ix_network_addresses_held ON network_addresses (network_id, pooled) WHERE holder_id IS NOT NULL',
  `CREATE INDEX ix_network_addresses_holder ON network_addresses (holder_id, holder_noun) WHERE holder_id IS NOT NULL`,
]

const down = ['DROP TABLE network_addresses', 'DROP TABLE networks']
