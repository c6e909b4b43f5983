import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { Database } from '../platform/database.js'
import { eventOf, type Told, toldColumns } from './balancing.events.js'
import { ENDED_PARTS } from './ended-parts.queries.js'

/** Pending without a command under way: what a lost settlement has left. What is being moved is `MoveSweep`'s. */
@Injectable()
export class StuckBalancers {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
  ) {}

  async free(): Promise<void> {
    const fault = { type: 'unsettled', message: 'its command has ended without moving it: ask for it again' }
    await this.database.transaction(async (tx) => {
      const rows: Told[] = await tx.query(
        `WITH stuck AS (
           SELECT b.id FROM load_balancers b
           WHERE b.provisioning_status LIKE 'PENDING%' AND b.moving_from_device_id IS NULL AND b.updated_at < now() - interval '30 seconds'
             AND NOT EXISTS (SELECT FROM commands c WHERE c.id = b.command_id
                             AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))
           ORDER BY b.id FOR UPDATE
         ), moved AS (
           UPDATE load_balancers b SET provisioning_status = 'ERROR', fault = $1, fault_at = now(), updated_at = now()
           FROM stuck s WHERE b.id = s.id RETURNING ${toldColumns('b')}, false AS ok
         ), ${ENDED_PARTS}
         SELECT * FROM moved`,
        [JSON.stringify(fault)],
      )
      await this.events.append(
        tx,
        rows.map((row) => eventOf('balancing.balancer.failed', row, { fault })),
      )
    })
  }
}
