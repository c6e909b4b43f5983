import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Storage connections that hosts have without the plane: ids of their own programs, and what no id holds (S6). */
export class StorageOrigin0009 implements MigrationInterface {
  readonly name = 'StorageOrigin0009'

  async up(db: QueryRunner): Promise<void> {
    await db.query(`CREATE TABLE own_storage_connections (
       id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
       host_id uuid NOT NULL CONSTRAINT fk_own_storage_connections_host_id REFERENCES hosts (id) ON DELETE CASCADE,
       managed boolean NOT NULL,
       connection_id text NOT NULL,
       uri text NOT NULL,
       target text NOT NULL,
       options jsonb NOT NULL DEFAULT '{}',
       mount_point text,
       operating_status text NOT NULL,
       observed_fault jsonb,
       observed_at timestamptz NOT NULL DEFAULT now(),
       created_at timestamptz NOT NULL DEFAULT now(),
       updated_at timestamptz NOT NULL DEFAULT now()
     )`)
    // both what a host tells again and a page of what it has told go by it
    await db.query(`CREATE UNIQUE INDEX uq_own_storage_connections_host_id_connection_id_managed
       ON own_storage_connections (host_id, connection_id, managed)`)
  }

  async down(db: QueryRunner): Promise<void> {
    await db.query('DROP TABLE own_storage_connections')
  }
}
