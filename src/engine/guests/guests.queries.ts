import { prepared, type Tx } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import { TOLD_GUEST, type ToldGuest } from './guest.events.js'

/** Writes where guests have come to, each as it was read under its lock. */
export const writeProgress = (tx: Tx, rows: readonly Guest[]): Promise<ToldGuest[]> =>
  rows.length === 0
    ? Promise.resolve([])
    : prepared<ToldGuest & Record<string, unknown>>(
        tx,
        'guests_write_progress',
        `UPDATE guests g
         SET generation = d.generation, build = d.build, power = d.power, intent_digest = d.intent_digest,
           provisioning_status = d.provisioning_status, step = d.step, step_deadline_at = d.step_deadline_at,
           command_id = d.command_id, fault = d.fault,
           fault_at = CASE WHEN d.fault IS NULL THEN NULL WHEN g.fault IS DISTINCT FROM d.fault THEN now() ELSE g.fault_at END,
           console_tail = CASE WHEN d.fault IS NULL THEN NULL ELSE g.console_tail END,
           pong_boot_id = d.pong_boot_id, pong_at = d.pong_at,
           active_at = CASE WHEN d.provisioning_status = 'ACTIVE' THEN coalesce(g.active_at, now()) ELSE g.active_at END,
           updated_at = now()
         FROM jsonb_to_recordset($1::jsonb)
           AS d(id uuid, generation int, build int, power text, intent_digest text, provisioning_status text, step text,
                step_deadline_at timestamptz, command_id uuid, fault jsonb, pong_boot_id text, pong_at timestamptz)
         WHERE g.id = d.id RETURNING ${TOLD_GUEST}`,
        [JSON.stringify(rows.map(columnsOf))],
      )

const columnsOf = (row: Guest) => ({
  id: row.id,
  generation: row.generation,
  build: row.build,
  power: row.power,
  intent_digest: row.intentDigest,
  provisioning_status: row.provisioningStatus,
  step: row.step,
  step_deadline_at: row.stepDeadlineAt,
  command_id: row.commandId,
  fault: row.fault,
  pong_boot_id: row.pongBootId,
  pong_at: row.pongAt,
})

/**
 * Whatever is still asked of a host under these subjects is asked no more; what it says of it changes nothing. Commands that are
 * being ended at this moment end so.
 */
export async function endQueues(tx: Tx, hostId: string, subjects: readonly string[]): Promise<void> {
  await prepared(
    tx,
    'guests_end_queues',
    `UPDATE commands SET state = 'superseded', finished_at = now(), sealed_secrets = NULL
     WHERE id IN (SELECT id FROM commands WHERE host_id = $1 AND subject = ANY($2::text[]) AND finished_at IS NULL
                  FOR UPDATE SKIP LOCKED)`,
    [hostId, subjects],
  )
}
