import type { NetworkIntent } from '../../wire/networks.js'
import { prepared, type Tx } from '../platform/database.js'
import type { BalancingDevice } from './balancing-device.entity.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import { columnsFrom, type PartNoun, partNouns, partTables, rowOf } from './part-tables.js'
import type { StoredTree, Tree } from './tree.js'
import type { Changes } from './tree-changes.js'

/** A balancer, where it is, and where it lives. */
export interface Loaded {
  readonly tree: Tree
  readonly network: NetworkIntent
  readonly device: BalancingDevice
}

type Json = Readonly<Record<string, unknown>>

type LoadedRow = Readonly<Record<PartNoun, readonly Json[] | null>> & {
  readonly balancer: Json
  readonly network: Json
  readonly device: Json
}

const PARTS = partNouns
  .map(
    (noun) => `(SELECT jsonb_agg(to_jsonb(x) ORDER BY x.created_at, x.id) FROM ${partTables[noun].table} x
      WHERE x.load_balancer_id = b.id AND x.provisioning_status <> 'PENDING_DELETE') AS "${noun}"`,
  )
  .join(',\n')

/**
 * A balancer with all that stands under it but what is about to go. Who is about to change it has locked it before, by
 * `lockBalancer`: one statement for both would see the rows as they were before it waited. Plan: index lookups.
 */
export async function loadBalancer(tx: Tx, id: string): Promise<Loaded | null> {
  const [row] = await prepared<LoadedRow>(
    tx,
    'balancing_load',
    `SELECT to_jsonb(b) AS balancer, to_jsonb(n) AS network, to_jsonb(d) AS device, ${PARTS}
     FROM load_balancers b JOIN networks n ON n.id = b.network_id JOIN balancing_devices d ON d.id = b.device_id
     WHERE b.id = $1`,
    [id],
  )
  return row ? loadedFrom(row) : null
}

export function loadedFrom(row: LoadedRow): Loaded {
  const parts = partNouns.map((noun) => [noun, (row[noun] ?? []).map((json) => rowOf(json))])
  // by `to_jsonb` of the tables whose entities these are
  const tree = { loadBalancer: rowOf<LoadBalancer>(row.balancer), ...Object.fromEntries(parts) } as Tree
  return { tree, network: networkFrom(rowOf<NetworkIntent>(row.network)), device: rowOf<BalancingDevice>(row.device) }
}

/** Of its row, what its hosts are told. */
export const networkFrom = ({
  id,
  cidr,
  gateway,
  bridge,
  createBridge,
  uplink,
  vlan,
  hostIsGateway,
}: NetworkIntent): NetworkIntent => ({ id, cidr, gateway, bridge, createBridge, uplink, vlan, hostIsGateway })

/**
 * The one lock of the balancer and all under it, until the transaction ends (docs/adr/0050).
 * @param projectIds of these projects alone; null: of any
 * @returns its project; null: there is none
 */
export async function lockBalancer(tx: Tx, id: string, projectIds: readonly string[] | null): Promise<string | null> {
  const [row] = await prepared<{ project_id: string }>(
    tx,
    'balancing_lock',
    `SELECT project_id FROM load_balancers WHERE id = $1 AND ($2::uuid[] IS NULL OR project_id = ANY($2)) FOR UPDATE`,
    [id, projectIds],
  )
  return row?.project_id ?? null
}

/** The rows as the edit has left them. What goes is not there for edits any more, and is removed when its generation has ended. */
export async function writeParts(
  tx: Tx,
  { made, changed, gone }: Pick<Changes, 'made' | 'changed' | 'gone'>,
  generation: number,
): Promise<void> {
  for (const noun of partNouns) {
    if (gone[noun].length > 0) await leave(tx, noun, gone[noun], generation)
    if (made[noun].length > 0) await insert(tx, noun, made[noun])
    if (changed[noun].length > 0) await update(tx, noun, changed[noun])
  }
}

async function leave(tx: Tx, noun: PartNoun, ids: readonly string[], generation: number): Promise<void> {
  const { table } = partTables[noun]
  await prepared(
    tx,
    `balancing_leave_${table}`,
    `UPDATE ${table} SET provisioning_status = 'PENDING_DELETE', generation = $2, updated_at = now() WHERE id = ANY($1::uuid[])`,
    [ids, generation],
  )
}

/** What the unique indexes allow once: one that is about to go makes room. */
const makesRoom: Partial<Record<PartNoun, readonly string[]>> = {
  members: ['pool_id', 'address', 'protocol_port'],
  healthMonitors: ['pool_id'],
}

async function insert(tx: Tx, noun: PartNoun, rows: readonly object[]): Promise<void> {
  const { table } = partTables[noun]
  const values = [JSON.stringify(rows.map(columnsFrom))]
  const key = makesRoom[noun]
  if (key) {
    await prepared(
      tx,
      `balancing_make_room_${table}`,
      `DELETE FROM ${table} x USING jsonb_populate_recordset(NULL::${table}, $1::jsonb) r
       WHERE ${key.map((column) => `x.${column} = r.${column}`).join(' AND ')} AND x.provisioning_status = 'PENDING_DELETE'`,
      values,
    )
  }
  await prepared(
    tx,
    `balancing_insert_${table}`,
    `INSERT INTO ${table} SELECT * FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb)`,
    values,
  )
}

async function update(tx: Tx, noun: PartNoun, rows: readonly object[]): Promise<void> {
  const { table, columns } = partTables[noun]
  await prepared(
    tx,
    `balancing_update_${table}`,
    `UPDATE ${table} x SET ${columns.map((column) => `${column} = r.${column}`).join(', ')}
     FROM jsonb_populate_recordset(NULL::${table}, $1::jsonb) r WHERE x.id = r.id`,
    [JSON.stringify(rows.map(columnsFrom))],
  )
}

/** New ones, each with its first generation. */
export async function insertBalancers(tx: Tx, made: readonly { row: LoadBalancer; tree: StoredTree }[]): Promise<void> {
  await prepared(
    tx,
    'balancing_insert',
    `WITH made AS (
       INSERT INTO load_balancers SELECT * FROM jsonb_populate_recordset(NULL::load_balancers, $1::jsonb)
     )
     INSERT INTO load_balancer_generations (load_balancer_id, generation, tree)
     SELECT * FROM jsonb_to_recordset($2::jsonb) AS g(id uuid, generation int, tree jsonb)`,
    [
      JSON.stringify(made.map(({ row }) => columnsFrom(row))),
      JSON.stringify(made.map(({ row: { id, generation }, tree }) => ({ id, generation, tree }))),
    ],
  )
}

/** Its intent and claim; the caller holds its lock. Faults of before are over. */
export async function writeBalancer(tx: Tx, row: LoadBalancer): Promise<void> {
  await prepared(
    tx,
    'balancing_write',
    `UPDATE load_balancers
     SET name = $2, description = $3, admin_state_up = $4, tags = $5, provisioning_status = $6, generation = $7,
       intent_digest = $8, command_id = $9, fault = NULL, fault_at = NULL, updated_at = now()
     WHERE id = $1`,
    [
      row.id,
      row.name,
      row.description,
      row.adminStateUp,
      row.tags,
      row.provisioningStatus,
      row.generation,
      row.intentDigest,
      row.commandId,
    ],
  )
}

/** So many generations are kept, the last good one, and the last good one that is another than the newest. */
const GENERATIONS_KEPT = 10

export async function keepGeneration(
  tx: Tx,
  id: string,
  generation: number,
  tree: StoredTree,
  end: 'good' | 'open' = 'open',
): Promise<void> {
  await prepared(
    tx,
    'balancing_keep_generation',
    `WITH old AS (
       DELETE FROM load_balancer_generations g USING load_balancers b
       WHERE b.id = $1 AND g.load_balancer_id = $1 AND g.generation <= $2::int - ${GENERATIONS_KEPT}
         AND g.generation IS DISTINCT FROM b.good_generation
         AND g.generation IS DISTINCT FROM (
           SELECT o.generation FROM load_balancer_generations o
           WHERE o.load_balancer_id = $1 AND o.good AND o.tree <> $3::jsonb ORDER BY o.generation DESC LIMIT 1)
     )
     INSERT INTO load_balancer_generations (load_balancer_id, generation, tree, good) VALUES ($1, $2, $3, $4)
     ON CONFLICT (load_balancer_id, generation) DO UPDATE SET tree = $3, good = $4`,
    [id, generation, JSON.stringify(tree), end === 'good'],
  )
}
