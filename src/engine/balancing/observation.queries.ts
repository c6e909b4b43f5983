import type { BalancerDetail } from '../../wire/balancing/sighting.js'
import { balancingStatuses } from '../../wire/balancing/terms.js'
import { subjectKey } from '../../wire/commands.js'
import { UUID } from '../../wire/session.js'
import type { EventDraft } from '../events/events.service.js'
import type { HostObservation } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'
import { eventOf, type Told, toldColumns } from './balancing.events.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import { partNouns, partTables } from './part-tables.js'

type ObservedRow = Told & Pick<LoadBalancer, 'operatingStatus'>

const tables = partNouns.map((noun) => partTables[noun].table)

const PARTS_SEEN = tables
  .map(
    (table) => `${table}_seen AS (
       UPDATE ${table} x SET operating_status = p.status FROM parts p
       WHERE x.id = p.id AND x.load_balancer_id = p.balancer AND x.operating_status <> p.status
       RETURNING x.load_balancer_id AS id
     )`,
  )
  .join(', ')

/**
 * What is seen of balancers and all under them, of many hosts in one statement. Of an earlier generation than what was seen last
 * it is older. Told of where a status or a fault has changed; statistics change in silence. Plan: index lookups for each thing.
 */
export async function observeBalancers(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]> {
  const rows = await prepared<ObservedRow>(
    tx,
    'balancing_observe',
    `WITH d AS (
       SELECT d.*, b.was, b.fault_was FROM (
         SELECT * FROM jsonb_to_recordset($1::jsonb)
           AS t(host uuid, id uuid, generation int, status text, fault jsonb, statuses jsonb, statistics jsonb) ORDER BY id) d
       CROSS JOIN LATERAL (
         SELECT id, operating_status AS was, observed_fault AS fault_was FROM load_balancers b
         WHERE b.id = d.id AND b.host_id = d.host AND d.generation >= coalesce(b.observed_generation, 0) FOR UPDATE) b
       WHERE b.id = d.id
     ), parts AS (
       SELECT d.id AS balancer, s.key::uuid AS id, s.value AS status FROM d CROSS JOIN LATERAL jsonb_each_text(d.statuses) s
     ), ${PARTS_SEEN}, moved AS (
       UPDATE load_balancers b
       SET operating_status = d.status, observed_fault = d.fault, observed_at = now(), observed_generation = d.generation,
         statistics = coalesce(d.statistics, b.statistics)
       FROM d WHERE b.id = d.id
         AND (b.operating_status <> d.status OR b.observed_fault IS DISTINCT FROM d.fault
           OR b.observed_generation IS DISTINCT FROM d.generation OR b.statistics <> coalesce(d.statistics, b.statistics))
     )
     SELECT ${toldColumns('b')}, d.status AS "operatingStatus"
     FROM d JOIN load_balancers b ON b.id = d.id
     WHERE d.was <> d.status OR d.fault_was IS DISTINCT FROM d.fault
       OR d.id IN (${tables.map((table) => `SELECT id FROM ${table}_seen`).join(' UNION ALL ')})`,
    [JSON.stringify(latest(observations))],
  )
  return rows.map((row) => eventOf('balancing.balancer.observed', row, { operatingStatus: row.operatingStatus }))
}

/** What a silent host has is not seen any more: the event that it was lost tells of it. */
export async function forgetSight(tx: Tx, hostId: string): Promise<void> {
  const parts = tables.map(
    (table) => `${table}_unseen AS (
       UPDATE ${table} x SET operating_status = 'UNKNOWN' FROM hidden h
       WHERE x.load_balancer_id = h.id AND x.operating_status <> 'UNKNOWN'
     )`,
  )
  await tx.query(
    `WITH hidden AS (
       SELECT id FROM load_balancers WHERE host_id = $1 AND operating_status <> 'UNKNOWN' ORDER BY id FOR UPDATE
     ), ${parts.join(', ')}
     UPDATE load_balancers b SET operating_status = 'UNKNOWN', observed_fault = NULL, observed_at = now()
     FROM hidden h WHERE b.id = h.id`,
    [hostId],
  )
}

/** One row a subject: an UPDATE that meets a row twice takes either. */
function latest(observations: readonly HostObservation[]) {
  const bySubject = new Map(observations.map((one) => [`${one.hostId} ${one.subject}`, one]))
  return [...bySubject.values()]
    .filter(({ subject }) => UUID.test(subjectKey(subject)))
    .map((one) => {
      const { statuses, statistics } = detailOf(one)
      return {
        host: one.hostId,
        id: subjectKey(one.subject),
        generation: one.generation,
        status: known(one.status),
        fault: one.fault ?? null,
        statuses,
        statistics,
      }
    })
}

/** Of a newer agent it may hold what this engine does not know; of a broken one, anything. */
function detailOf({
  detail,
}: HostObservation): BalancerDetail | { readonly statuses: object; readonly statistics: null } {
  const { statuses, statistics } = (detail ?? {}) as { statuses?: unknown; statistics?: unknown }
  const told = isRecord(statuses) ? Object.entries(statuses).filter(([id]) => UUID.test(id)) : []
  return {
    statuses: Object.fromEntries(told.map(([id, status]) => [id, known(String(status))])),
    statistics: isRecord(statistics) ? (statistics as BalancerDetail['statistics']) : null,
  }
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value)

/** A status that this engine does not know is none to its clients. */
const known = (status: string) => balancingStatuses.find((one) => one === status) ?? 'UNKNOWN'
