import { VIP_LEASES } from '../../../wire/balancing/providers.js'
import { balancerSubject } from '../../../wire/commands.js'
import type { Fault } from '../../../wire/session.js'
import { prepared, type Tx } from '../../platform/database.js'
import type { BalancingDevice } from '../balancing-device.entity.js'
import { ENDED_PARTS } from '../ended-parts.queries.js'
import type { LoadBalancer } from '../load-balancer.entity.js'
import { rowOf } from '../part-tables.js'

/** Of a host `h`: without a session for `$n` milliseconds, by the database's clock. Whatever else changes of it only delays that. */
const silentFor = (parameter: string): string =>
  `NOT h.connected AND greatest(h.status_since, h.updated_at) < now() - ${parameter}::float8 * interval '1 millisecond'`

/** Its tombstone says that it was to be deleted, not moved. */
const LEAVING = `EXISTS (SELECT FROM tombstones t
  WHERE t.host_id = b.host_id AND t.subject = 'load-balancer/' || b.id AND t.state = 'waiting')`

/** The caller holds the lock of the balancer. What was seen of it was seen where it is no more. */
export async function writeMove(
  tx: Tx,
  { id, generation, commandId, provisioningStatus, deviceId }: LoadBalancer,
  to: Pick<BalancingDevice, 'id' | 'hostId'>,
): Promise<void> {
  await prepared(
    tx,
    'balancing_move',
    `UPDATE load_balancers
     SET device_id = $2, host_id = $3, moving_from_device_id = $4, placement_generation = placement_generation + 1,
       generation = $5, command_id = $6, provisioning_status = $7, fault = NULL, fault_at = NULL, observed_fault = NULL,
       observed_generation = NULL, updated_at = now()
     WHERE id = $1`,
    [id, to.id, to.hostId, deviceId, generation, commandId, provisioningStatus],
  )
}

export async function writeArrival(tx: Tx, id: string): Promise<void> {
  await prepared(
    tx,
    'balancing_arrive',
    'UPDATE load_balancers SET moving_from_device_id = NULL, updated_at = now() WHERE id = $1',
    [id],
  )
}

/** Back to where it would not leave, or need not any more. @returns that device */
export async function writeReturn(tx: Tx, id: string): Promise<BalancingDevice> {
  const [row] = await prepared<{ device: Record<string, unknown> }>(
    tx,
    'balancing_return',
    `UPDATE load_balancers b
     SET device_id = d.id, host_id = d.host_id, moving_from_device_id = NULL, placement_generation = placement_generation + 1,
       updated_at = now()
     FROM balancing_devices d WHERE b.id = $1 AND d.id = b.moving_from_device_id
     RETURNING to_jsonb(d) AS device`,
    [id],
  )
  if (!row) throw new Error(`load balancer ${id} is not being moved`)
  return rowOf<BalancingDevice>(row.device)
}

/** Of the balancer and all under it that is pending. */
export async function writeFault(tx: Tx, id: string, fault: Fault): Promise<void> {
  await prepared(
    tx,
    'balancing_move_fault',
    `WITH moved AS (
       UPDATE load_balancers b SET provisioning_status = 'ERROR', fault = $2, fault_at = now(), updated_at = now()
       WHERE b.id = $1 RETURNING b.id, false AS ok
     ), ${ENDED_PARTS}
     SELECT FROM moved`,
    [id, JSON.stringify(fault)],
  )
}

export async function isConnected(tx: Tx, hostId: string): Promise<boolean> {
  return (
    (await prepared(tx, 'balancing_host_connected', 'SELECT FROM hosts WHERE id = $1 AND connected', [hostId])).length >
    0
  )
}

/** It is to go, and has not gone yet. */
export async function isLeaving(tx: Tx, { id, hostId }: Pick<LoadBalancer, 'id' | 'hostId'>): Promise<boolean> {
  const sql = `SELECT FROM tombstones WHERE host_id = $1 AND subject = $2 AND state = 'waiting'`
  return (await prepared(tx, 'balancing_leaving', sql, [hostId, balancerSubject(id)])).length > 0
}

/**
 * Balancers that may be up where they are to be: what they leave has let go of them, somebody has given that up, or it has been
 * silent for so long that its agent has taken the VIP down. Plan: the partial index of those that move.
 * @param among null: any
 */
export async function listArrivals(
  tx: Tx,
  graceMs: number,
  limit: number,
  among: readonly string[] | null = null,
): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'balancing_arrivals',
    `SELECT b.id FROM load_balancers b
     JOIN balancing_devices d ON d.id = b.moving_from_device_id JOIN hosts h ON h.id = d.host_id
     WHERE b.moving_from_device_id IS NOT NULL AND b.provisioning_status <> 'PENDING_DELETE'
       AND ($3::uuid[] IS NULL OR b.id = ANY($3))
       AND ((${silentFor('$1')}) OR EXISTS (SELECT FROM tombstones t
              WHERE t.host_id = d.host_id AND t.subject = 'load-balancer/' || b.id AND t.state <> 'waiting'))
     ORDER BY b.id LIMIT $2`,
    [graceMs, limit, among],
  )
  return rows.map(({ id }) => id)
}

/** What is to leave a host that is there, and no command says so any more: its answer was lost. */
export async function listStalled(tx: Tx, limit: number, only: string | null = null): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'balancing_stalled',
    `SELECT b.id FROM load_balancers b
     JOIN balancing_devices d ON d.id = b.moving_from_device_id JOIN hosts h ON h.id = d.host_id
     WHERE b.moving_from_device_id IS NOT NULL AND h.connected AND b.updated_at < now() - interval '30 seconds'
       AND NOT EXISTS (SELECT FROM commands c WHERE c.host_id = h.id AND c.subject = 'load-balancer/' || b.id
                       AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))
       AND ($2::uuid IS NULL OR b.id = $2)
     ORDER BY b.id LIMIT $1`,
    [limit, only],
  )
  return rows.map(({ id }) => id)
}

/**
 * Balancers on hosts that fell silent, or whose agent was stopped and whose kernel takes VIPs down by itself; of another host, an
 * agent that said goodbye is nobody who does. Those at a host's own address stay. In any order: what finds no room must not stand before the others.
 * @param only null: any
 */
export async function listSilenced(
  tx: Tx,
  graceMs: number,
  limit: number,
  only: string | null = null,
): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'balancing_silenced',
    `SELECT b.id FROM hosts h
     JOIN balancing_devices d ON d.host_id = h.id AND d.kind = 'host'
     JOIN load_balancers b ON b.device_id = d.id JOIN networks n ON n.id = b.network_id
     WHERE (h.status = 'NonResponsive' OR (h.status = 'Down' AND '${VIP_LEASES}' = ANY(h.capabilities))) AND ${silentFor('$1')} AND n.bridge IS NOT NULL
       AND b.moving_from_device_id IS NULL AND b.provisioning_status <> 'PENDING_DELETE' AND NOT ${LEAVING}
       AND ($3::uuid IS NULL OR b.id = $3)
     ORDER BY random() LIMIT $2`,
    [graceMs, limit, only],
  )
  return rows.map(({ id }) => id)
}

export interface OnHost {
  readonly id: string
  readonly name: string
  /** It is on its way already. */
  readonly moving: boolean
  readonly provisioningStatus: string
}

/** What must leave the host before its maintenance: what is at the host's own address stays there. */
export async function listOnHost(tx: Tx, hostId: string, limit: number): Promise<OnHost[]> {
  return prepared<OnHost & { id: string }>(
    tx,
    'balancing_on_host',
    `SELECT b.id, b.name, coalesce(b.moving_from_device_id = d.id, false) AS moving, b.provisioning_status AS "provisioningStatus"
     FROM balancing_devices d
     JOIN load_balancers b ON b.device_id = d.id OR b.moving_from_device_id = d.id
     JOIN networks n ON n.id = b.network_id
     WHERE d.host_id = $1 AND d.kind = 'host' AND n.bridge IS NOT NULL
     ORDER BY b.id LIMIT $2`,
    [hostId, limit],
  )
}
