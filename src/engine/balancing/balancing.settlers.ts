import { Injectable } from '@nestjs/common'
import { subjectKey } from '../../wire/commands.js'
import { type EndedCommand, type Settler, Settlers } from '../commands/settlers.js'
import type { EventDraft } from '../events/events.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import { prepared, type Tx } from '../platform/database.js'
import { eventOf, type Told, toldColumns } from './balancing.events.js'
import { ENDED_PARTS } from './ended-parts.queries.js'
import { HOLDER_NOUN } from './load-balancer.entity.js'
import { BalancerMoves } from './moves/balancer-moves.js'

/** What the rows do when hosts have answered: only where the balancer's generation is the command's. */
@Injectable()
export class BalancingSettlers {
  constructor(settlers: Settlers, tombstones: Tombstones, addresses: NetworkAddresses, moves: BalancerMoves) {
    settlers.register('balancing.apply', new Applied())
    settlers.register('balancing.remove', new Removed(tombstones, addresses, moves))
    settlers.register('balancing.check', new Checked())
  }
}

const records = (ended: readonly EndedCommand[]): string =>
  JSON.stringify(
    ended.map((c) => ({
      host: c.hostId,
      id: subjectKey(c.subject),
      generation: c.generation,
      ok: c.state === 'succeeded',
      fault: c.fault ?? { type: c.state, message: `the command ended ${c.state}` },
    })),
  )

/** The balancers behind the ended commands, generation for generation, as `d`; locked in the order of their ids. */
const settled = (where: string): string =>
  `WITH d AS (
     SELECT d.* FROM (
       SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(host uuid, id uuid, generation int, ok boolean, fault jsonb) ORDER BY id) d
     CROSS JOIN LATERAL (
       SELECT id FROM load_balancers b
       WHERE b.id = d.id AND b.host_id = d.host AND b.generation = d.generation AND ${where} FOR UPDATE) b
     WHERE b.id = d.id)`

/** A late success heals what had expired. */
class Applied implements Settler {
  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const rows = await prepared<Told>(
      tx,
      'balancing_settle_applied',
      `${settled(`b.provisioning_status IN ('PENDING_CREATE', 'PENDING_UPDATE', 'ERROR')`)},
       moved AS (
         UPDATE load_balancers b
         SET provisioning_status = CASE WHEN d.ok THEN 'ACTIVE' ELSE 'ERROR' END,
           good_generation = CASE WHEN d.ok THEN d.generation ELSE b.good_generation END,
           fault = CASE WHEN d.ok THEN NULL ELSE d.fault END, fault_at = CASE WHEN d.ok THEN NULL ELSE now() END,
           updated_at = now()
         FROM d WHERE b.id = d.id RETURNING ${toldColumns('b')}, d.ok
       ), good AS (
         UPDATE load_balancer_generations g SET good = true FROM moved m
         WHERE m.ok AND g.load_balancer_id = m.id AND g.generation = m.generation
       ), ${ENDED_PARTS}
       SELECT * FROM moved`,
      [records(ended)],
    )
    return rows.map((row) => tellEnd(row, ended))
  }

  giveUp = markError
}

class Removed implements Settler {
  constructor(
    private readonly tombstones: Tombstones,
    private readonly addresses: NetworkAddresses,
    private readonly moves: BalancerMoves,
  ) {}

  async settle(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
    const gone = ended.filter((c) => c.state === 'succeeded')
    const failed = ended.filter((c) => c.state !== 'succeeded')
    const drafts = [...(await this.remove(tx, gone)), ...(await fail(tx, failed))]
    return [...drafts, ...(await this.moves.settle(tx, ended))]
  }

  giveUp = markError

  /** Its address is free from now on, and not before: nobody else has it while it may still be up. */
  private async remove(tx: Tx, gone: readonly EndedCommand[]): Promise<EventDraft[]> {
    if (gone.length === 0) return []
    const rows = await prepared<Told>(
      tx,
      'balancing_settle_removed',
      `${settled(LEAVING)}
       DELETE FROM load_balancers b USING d WHERE b.id = d.id RETURNING ${toldColumns('b')}`,
      [records(gone)],
    )
    for (const { id } of rows) await this.addresses.release(tx, { noun: HOLDER_NOUN, id })
    const confirmed = await this.tombstones.confirm(
      tx,
      gone.map((c) => ({ hostId: c.hostId, subject: c.subject, generation: c.generation })),
    )
    return [
      ...rows.map((row) => eventOf('balancing.balancer.deleted', { ...row, provisioningStatus: 'DELETED' })),
      ...confirmed,
    ]
  }
}

/** It is on its way out, also where that has failed before. */
const LEAVING = `(b.provisioning_status = 'PENDING_DELETE' OR (b.provisioning_status = 'ERROR' AND EXISTS (
  SELECT FROM tombstones t WHERE t.host_id = b.host_id AND t.subject = 'load-balancer/' || b.id AND t.state = 'waiting')))`

/** A plan is its command, and no row waits for it. */
class Checked implements Settler {
  async settle(): Promise<EventDraft[]> {
    return []
  }

  async giveUp(): Promise<EventDraft[]> {
    return []
  }
}

async function fail(tx: Tx, ended: readonly EndedCommand[]): Promise<EventDraft[]> {
  if (ended.length === 0) return []
  const rows = await prepared<Told>(
    tx,
    'balancing_settle_failed',
    `${settled(LEAVING)},
     moved AS (
       UPDATE load_balancers b SET provisioning_status = 'ERROR', fault = d.fault, fault_at = now(), updated_at = now()
       FROM d WHERE b.id = d.id RETURNING ${toldColumns('b')}, d.ok
     ), ${ENDED_PARTS}
     SELECT * FROM moved`,
    [records(ended)],
  )
  return rows.map((row) => tellEnd(row, ended))
}

function tellEnd(row: Told, ended: readonly EndedCommand[]): EventDraft {
  if (row.provisioningStatus === 'ACTIVE') return eventOf('balancing.balancer.applied', row)
  const command = ended.find(({ subject }) => subjectKey(subject) === row.id)
  return eventOf('balancing.balancer.failed', row, { fault: command?.fault ?? null })
}

/** The plainest statement there is: the settler itself could not do it. What is under it follows with its next generation. */
async function markError(tx: Tx, ended: EndedCommand, reason: string): Promise<EventDraft[]> {
  const fault = { type: 'unsettled', message: reason }
  const [rows] = await tx.query(
    `UPDATE load_balancers b SET provisioning_status = 'ERROR', fault = $4, fault_at = now(), updated_at = now()
     WHERE b.id = $1 AND b.host_id = $2 AND b.generation = $3 RETURNING ${toldColumns('b')}`,
    [subjectKey(ended.subject), ended.hostId, ended.generation, JSON.stringify(fault)],
  )
  return rows.map((row: Told) => eventOf('balancing.balancer.failed', row, { fault }))
}
