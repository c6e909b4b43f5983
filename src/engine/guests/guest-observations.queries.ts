import { subjectKey } from '../../wire/commands.js'
import type { GuestDetail } from '../../wire/guests/sighting.js'
import { agentPorts, guestStatuses } from '../../wire/guests/terms.js'
import { UUID } from '../../wire/session.js'
import type { EventDraft } from '../events/events.service.js'
import type { HostObservation } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'
import { guestEvent, TOLD_GUEST, type ToldGuest } from './guest.events.js'

/**
 * What is seen of guests, of many hosts in one statement: only at the host where a guest is meant to be. Of an earlier generation
 * than what was seen last it is older. Told of where a status or a boot has changed.
 */
export async function observeGuests(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]> {
  const rows = await prepared<ToldGuest & { told: boolean }>(
    tx,
    'guests_observe',
    `WITH d AS (
       SELECT d.*, g.operating_status IS DISTINCT FROM d.status OR g.boot_id IS DISTINCT FROM d.boot AS told FROM (
         SELECT * FROM jsonb_to_recordset($1::jsonb)
           AS t(host uuid, id uuid, generation int, status text, fault jsonb, boot text, port text, restarts int, console text)
         ORDER BY id) d
       CROSS JOIN LATERAL (
         SELECT id, operating_status, boot_id FROM guests g
         WHERE g.id = d.id AND g.host_id = d.host AND d.generation >= coalesce(g.observed_generation, 0) FOR NO KEY UPDATE) g
       WHERE g.id = d.id
     )
     UPDATE guests g
     SET operating_status = d.status, observed_fault = d.fault, observed_at = now(), observed_generation = d.generation,
       boot_id = d.boot, agent_port = d.port, restarts = d.restarts, console_tail = coalesce(d.console, g.console_tail)
     FROM d WHERE g.id = d.id RETURNING ${TOLD_GUEST}, d.told`,
    [JSON.stringify(latest(observations))],
  )
  return rows.filter(({ told }) => told).map(({ told: _, ...row }) => guestEvent('guests.guest.observed', row))
}

/** What a silent host runs is not seen any more: silence is not death. */
export async function forgetSight(tx: Tx, hostId: string): Promise<void> {
  await prepared(
    tx,
    'guests_unseen',
    `UPDATE guests SET operating_status = 'UNKNOWN', observed_fault = NULL, observed_at = now()
     WHERE host_id = $1 AND operating_status <> 'UNKNOWN'`,
    [hostId],
  )
}

/** One row a subject: an UPDATE that meets a row twice takes either. What a newer agent may say is no status to clients. */
function latest(observations: readonly HostObservation[]) {
  const seen = observations.filter(({ subject }) => UUID.test(subjectKey(subject)))
  return [...new Map(seen.map((o) => [`${o.hostId} ${o.subject}`, o])).values()].map((o) => {
    // of any shape, until it is looked at here
    const detail = (o.detail ?? {}) as Partial<Record<keyof GuestDetail, unknown>>
    return {
      host: o.hostId,
      id: subjectKey(o.subject),
      generation: o.generation,
      status: guestStatuses.find((one) => one === o.status) ?? 'UNKNOWN',
      fault: o.fault ?? null,
      boot: textOf(detail.bootId, 64),
      port: agentPorts.find((one) => one === detail.agentPort) ?? 'NEVER',
      restarts: Number.isSafeInteger(detail.restarts) ? detail.restarts : 0,
      console: textOf(detail.consoleTail, 4_000),
    }
  })
}

const textOf = (value: unknown, most: number): string | null =>
  typeof value === 'string' && value.length <= most ? value : null
