import type { MigrationInterface, QueryRunner } from 'typeorm'

/** Load balancers and all under them, what they live on, and what operators offer. */
export class Balancing0013 implements MigrationInterface {
  readonly name = 'Balancing0013'

  async up(db: QueryRunner): Promise<void> {
    for (const statement of up) await db.query(statement)
  }

  async down(db: QueryRunner): Promise<void> {
    for (const statement of down) await db.query(statement)
  }
}

const common = `
  id uuid PRIMARY KEY,
  project_id uuid NOT NULL,
  name text NOT NULL DEFAULT '',
  description text NOT NULL DEFAULT '',
  admin_state_up boolean NOT NULL DEFAULT true,
  tags text[] NOT NULL DEFAULT '{}',
  provisioning_status text NOT NULL,
  operating_status text NOT NULL DEFAULT 'OFFLINE',
  created_at timestamptz NOT NULL DEFAULT now(),
  updated_at timestamptz NOT NULL DEFAULT now()`

const part = (table: string): string => `${common},
  generation integer NOT NULL,
  load_balancer_id uuid NOT NULL CONSTRAINT fk_${table}_load_balancer_id REFERENCES load_balancers (id) ON DELETE CASCADE`

const offered = (table: string, profiles: string): string => `CREATE TABLE ${table} (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     name text NOT NULL,
     description text NOT NULL DEFAULT '',
     enabled boolean NOT NULL DEFAULT true,
     created_at timestamptz NOT NULL DEFAULT now(),
     profile_id uuid NOT NULL CONSTRAINT fk_${table}_profile_id REFERENCES ${profiles} (id)
   )`

const profile = (table: string): string => `CREATE TABLE ${table} (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     name text NOT NULL,
     provider text NOT NULL,
     content jsonb NOT NULL DEFAULT '{}',
     created_at timestamptz NOT NULL DEFAULT now()
   )`

/** Lists go by creation; the id tells equal times apart. */
const listed = (table: string): string =>
  `CREATE INDEX ix_${table}_project_id_created_at ON ${table} (project_id, created_at, id)`

const ofBalancer = (table: string): string => `CREATE INDEX ix_${table}_load_balancer_id ON ${table} (load_balancer_id)`

const up = [
  `CREATE TABLE balancing_devices (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     kind text NOT NULL,
     name text NOT NULL,
     host_id uuid NOT NULL CONSTRAINT fk_balancing_devices_host_id REFERENCES hosts (id),
     epoch integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now()
   )`,
  'CREATE UNIQUE INDEX uq_balancing_devices_kind_name ON balancing_devices (kind, name)',
  'CREATE INDEX ix_balancing_devices_host_id ON balancing_devices (host_id)',

  // a row changes with every generation and observation: room for that on its page
  `CREATE TABLE load_balancers (${common},
     network_id uuid NOT NULL CONSTRAINT fk_load_balancers_network_id REFERENCES networks (id),
     vip_address text NOT NULL,
     vip_port_id uuid NOT NULL,
     provider text NOT NULL,
     flavor_id uuid,
     availability_zone text,
     device_id uuid NOT NULL CONSTRAINT fk_load_balancers_device_id REFERENCES balancing_devices (id),
     host_id uuid NOT NULL CONSTRAINT fk_load_balancers_host_id REFERENCES hosts (id),
     placement_generation integer NOT NULL DEFAULT 1,
     generation integer NOT NULL DEFAULT 1,
     good_generation integer,
     intent_digest text NOT NULL,
     command_id uuid,
     fault jsonb,
     fault_at timestamptz,
     observed_fault jsonb,
     observed_at timestamptz,
     observed_generation integer,
     statistics jsonb NOT NULL DEFAULT '{}'
   ) WITH (fillfactor = 70)`,
  listed('load_balancers'),
  'CREATE INDEX ix_load_balancers_created_at ON load_balancers (created_at, id)',
  'CREATE INDEX ix_load_balancers_device_id ON load_balancers (device_id)',
  'CREATE INDEX ix_load_balancers_host_id ON load_balancers (host_id)',

  `CREATE TABLE pools (${part('pools')},
     protocol text NOT NULL,
     lb_algorithm text NOT NULL,
     session_persistence jsonb
   )`,
  ofBalancer('pools'),
  listed('pools'),

  `CREATE TABLE listeners (${part('listeners')},
     protocol text NOT NULL,
     protocol_port integer NOT NULL,
     connection_limit integer NOT NULL DEFAULT -1,
     default_pool_id uuid,
     allowed_cidrs text[] NOT NULL DEFAULT '{}',
     insert_headers jsonb NOT NULL DEFAULT '{}',
     timeout_client_data integer NOT NULL DEFAULT 50000,
     timeout_member_connect integer NOT NULL DEFAULT 5000,
     timeout_member_data integer NOT NULL DEFAULT 50000,
     timeout_tcp_inspect integer NOT NULL DEFAULT 0,
     default_certificate_id uuid,
     sni_certificate_ids uuid[] NOT NULL DEFAULT '{}'
   )`,
  ofBalancer('listeners'),
  listed('listeners'),

  `CREATE TABLE members (${part('members')},
     pool_id uuid NOT NULL CONSTRAINT fk_members_pool_id REFERENCES pools (id) ON DELETE CASCADE,
     network_id uuid,
     address text NOT NULL,
     protocol_port integer NOT NULL,
     weight integer NOT NULL DEFAULT 1,
     backup boolean NOT NULL DEFAULT false,
     monitor_address text,
     monitor_port integer
   )`,
  ofBalancer('members'),
  'CREATE INDEX ix_members_project_id ON members (project_id)',
  'CREATE UNIQUE INDEX uq_members_pool_id_address_protocol_port ON members (pool_id, address, protocol_port)',

  `CREATE TABLE health_monitors (${part('health_monitors')},
     pool_id uuid NOT NULL CONSTRAINT fk_health_monitors_pool_id REFERENCES pools (id) ON DELETE CASCADE,
     type text NOT NULL,
     delay integer NOT NULL,
     timeout integer NOT NULL,
     max_retries integer NOT NULL,
     max_retries_down integer NOT NULL DEFAULT 3,
     http_method text,
     url_path text,
     expected_codes text,
     http_version text,
     domain_name text
   )`,
  ofBalancer('health_monitors'),
  listed('health_monitors'),
  'CREATE UNIQUE INDEX uq_health_monitors_pool_id ON health_monitors (pool_id)',

  `CREATE TABLE l7_policies (${part('l7_policies')},
     listener_id uuid NOT NULL CONSTRAINT fk_l7_policies_listener_id REFERENCES listeners (id) ON DELETE CASCADE,
     action text NOT NULL,
     position integer NOT NULL,
     redirect_pool_id uuid,
     redirect_url text,
     redirect_prefix text,
     redirect_http_code integer
   )`,
  ofBalancer('l7_policies'),
  listed('l7_policies'),

  `CREATE TABLE l7_rules (${part('l7_rules')},
     l7_policy_id uuid NOT NULL CONSTRAINT fk_l7_rules_l7_policy_id REFERENCES l7_policies (id) ON DELETE CASCADE,
     type text NOT NULL,
     compare_type text NOT NULL,
     key text,
     value text NOT NULL,
     invert boolean NOT NULL DEFAULT false
   )`,
  ofBalancer('l7_rules'),
  'CREATE INDEX ix_l7_rules_l7_policy_id ON l7_rules (l7_policy_id)',

  `CREATE TABLE load_balancer_generations (
     load_balancer_id uuid NOT NULL
       CONSTRAINT fk_load_balancer_generations_load_balancer_id REFERENCES load_balancers (id) ON DELETE CASCADE,
     generation integer NOT NULL,
     tree jsonb NOT NULL,
     good boolean NOT NULL DEFAULT false,
     created_at timestamptz NOT NULL DEFAULT now(),
     CONSTRAINT pk_load_balancer_generations PRIMARY KEY (load_balancer_id, generation)
   )`,

  `CREATE TABLE certificates (
     id uuid PRIMARY KEY DEFAULT gen_random_uuid(),
     project_id uuid NOT NULL CONSTRAINT fk_certificates_project_id REFERENCES projects (id),
     name text NOT NULL,
     chain_pem text NOT NULL,
     sealed_key text NOT NULL,
     fingerprint text NOT NULL,
     dns_names text[] NOT NULL,
     not_after timestamptz NOT NULL,
     generation integer NOT NULL DEFAULT 1,
     created_at timestamptz NOT NULL DEFAULT now(),
     updated_at timestamptz NOT NULL DEFAULT now()
   )`,
  'CREATE UNIQUE INDEX uq_certificates_project_id_name ON certificates (project_id, name)',

  profile('flavor_profiles'),
  offered('flavors', 'flavor_profiles'),
  'CREATE UNIQUE INDEX uq_flavors_name ON flavors (name)',
  profile('availability_zone_profiles'),
  offered('availability_zones', 'availability_zone_profiles'),
  'CREATE UNIQUE INDEX uq_availability_zones_name ON availability_zones (name)',
]

const down = [
  'availability_zones',
  'availability_zone_profiles',
  'flavors',
  'flavor_profiles',
  'certificates',
  'load_balancer_generations',
  'l7_rules',
  'l7_policies',
  'health_monitors',
  'members',
  'listeners',
  'pools',
  'load_balancers',
  'balancing_devices',
].map((table) => `DROP TABLE ${table}`)
