import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { Database, prepared, type Tx } from '../platform/database.js'
import { storageReadiness } from '../storage/storage-readiness.js'
import { connectionsOf } from './guest-intent.js'
import { lockGuests, type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestRuns } from './guest-runs.js'
import { GuestWorkflow, isStorageUp } from './guest-workflow.js'
import { GUEST_STEP_ENDED } from './guests.states.js'

const BATCH = 100

/** What no command takes on: guests that wait for their storage, and those that have lost the command they wait for. */
@Injectable()
export class GuestSweep {
  constructor(
    private readonly database: Database,
    private readonly workflow: GuestWorkflow,
    private readonly events: Events,
    private readonly runs: GuestRuns,
  ) {}

  /** On to the image where the storage is up by now, into ERROR where there is no time left (S9, S12). */
  async awaitStorage(): Promise<void> {
    const rows = await this.database.query<{ id: string }>(
      'guests_waiting',
      `SELECT id FROM guests WHERE step_deadline_at IS NOT NULL AND step = 'storage' AND provisioning_status LIKE 'PENDING%'
       ORDER BY step_deadline_at LIMIT $1`,
      [BATCH],
    )
    for (const { id } of rows) await this.database.transaction((tx) => this.look(tx, id))
  }

  /** Pending without a command under way: what a lost settlement has left. */
  async freeStuck(): Promise<void> {
    await this.database.transaction((tx) => this.runs.freeStuck(tx))
    await this.database.transaction((tx) => freeStuckSnapshots(tx))
    await this.database.transaction(async (tx) => {
      const rows = await prepared<{ id: string }>(
        tx,
        'guests_stuck',
        `SELECT g.id FROM guests g
         WHERE g.provisioning_status LIKE 'PENDING%' AND g.step_deadline_at IS NULL AND g.updated_at < now() - interval '30 seconds'
           AND NOT EXISTS (SELECT FROM commands c WHERE c.id = g.command_id
                           AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))
         ORDER BY g.id LIMIT $1 FOR NO KEY UPDATE`,
        [BATCH],
      )
      const wholes = await wholeGuests(
        tx,
        rows.map(({ id }) => id),
      )
      for (const whole of wholes) await this.events.append(tx, await this.workflow.fail(tx, whole, GUEST_STEP_ENDED))
    })
  }

  private async look(tx: Tx, id: string): Promise<void> {
    await lockGuests(tx, [id])
    const [whole] = await wholeGuests(tx, [id])
    if (whole?.guest.step !== 'storage') return
    if (await isStorageUp(tx, whole)) {
      await this.events.append(tx, await this.workflow.enter(tx, [{ whole, step: 'image' }]))
      return
    }
    const [row]: { over: boolean }[] = await tx.query(
      'SELECT step_deadline_at < now() AS over FROM guests WHERE id = $1',
      [id],
    )
    if (row?.over) await this.events.append(tx, await this.workflow.fail(tx, whole, await lackOf(tx, whole)))
  }
}

async function lackOf(tx: Tx, { guest, image, volumes }: WholeGuest) {
  const needs = { connectionIds: connectionsOf(image, volumes), projectIds: [guest.projectId] }
  const [readiness] = await storageReadiness(tx, [guest.hostId], needs)
  const told = (readiness?.lacking ?? []).map(({ connectionId, reason, operatingStatus, fault }) =>
    [`${connectionId} is ${reason === 'down' ? operatingStatus : reason}`, fault?.message].filter(Boolean).join(': '),
  )
  return { type: 'storage-not-up', message: told.join('; ').slice(0, 4_000) }
}

async function freeStuckSnapshots(tx: Tx): Promise<void> {
  await tx.query(
    `UPDATE guest_snapshots s SET provisioning_status = 'ERROR', fault = $1, fault_at = now(), updated_at = now()
     WHERE s.provisioning_status LIKE 'PENDING%' AND s.updated_at < now() - interval '30 seconds'
       AND NOT EXISTS (SELECT FROM commands c WHERE c.id = s.command_id
                       AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))`,
    [JSON.stringify(GUEST_STEP_ENDED)],
  )
}
