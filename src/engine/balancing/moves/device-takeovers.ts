import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { balancerSubject } from '../../../wire/commands.js'
import { Events } from '../../events/events.service.js'
import { Tombstones } from '../../hosts/tombstones.service.js'
import { Database, prepared, type Tx } from '../../platform/database.js'
import type { TurnEnd } from '../../platform/schedules.js'
import { BalancerClaims } from '../balancer-claims.js'
import type { BalancingDevice } from '../balancing-device.entity.js'
import type { LoadBalancer } from '../load-balancer.entity.js'
import { rowOf } from '../part-tables.js'
import { loadBalancer, lockBalancer } from '../tree.queries.js'
import { isLeaving } from './move.queries.js'

const BATCH = 50

interface Orphan {
  readonly id: string
  readonly hostId: string
  readonly name: string
  /** Who reaches it too, and has a session. */
  readonly nextHostId: string
}

/**
 * Appliances whose agent has no session, or is to be in maintenance, come into the charge of another that reaches them, at once:
 * the raised epoch shuts out the one before, so nobody waits for it (L7).
 */
@Injectable()
export class DeviceTakeovers {
  constructor(
    private readonly database: Database,
    private readonly claims: BalancerClaims,
    private readonly tombstones: Tombstones,
    private readonly events: Events,
  ) {}

  async run(): Promise<TurnEnd> {
    const orphans = await this.database.statement(listOrphans)
    for (const orphan of orphans) await this.database.transaction((tx) => this.takeOver(tx, orphan))
    const left = await this.database.statement(listLeftBehind)
    for (const id of left) await this.database.transaction((tx) => this.follow(tx, id))
    return left.length === BATCH ? 'unfinished' : 'finished'
  }

  private async takeOver(tx: Tx, { id, hostId, name, nextHostId }: Orphan): Promise<void> {
    const [row] = await prepared<{ device: Record<string, unknown> }>(
      tx,
      'balancing_take_over',
      `UPDATE balancing_devices d SET host_id = $3, epoch = epoch + 1 WHERE id = $1 AND host_id = $2
       RETURNING to_jsonb(d) AS device`,
      [id, hostId, nextHostId],
    )
    if (!row) return
    const device = rowOf<BalancingDevice>(row.device)
    const payload = { name, epoch: device.epoch, from: hostId, to: nextHostId }
    const subject = `balancing-device/${id}`
    await this.events.append(tx, [{ type: 'balancing.device.taken', subject, hostId: nextHostId, payload }])
    await this.removeAnew(tx, device)
  }

  /** What is about to leave the device is told to by the new one in charge. */
  private async removeAnew(tx: Tx, device: BalancingDevice): Promise<void> {
    const rows = await prepared<{ balancer: Record<string, unknown> }>(
      tx,
      'balancing_leaving_device',
      `SELECT to_jsonb(b) AS balancer FROM load_balancers b WHERE b.moving_from_device_id = $1 ORDER BY b.id FOR UPDATE`,
      [device.id],
    )
    for (const { balancer } of rows) {
      const row = rowOf<LoadBalancer>(balancer)
      const commandId = randomUUID()
      await this.tombstones.raise(tx, device.hostId, balancerSubject(row.id), row.generation)
      await tx.query('UPDATE load_balancers SET command_id = $2 WHERE id = $1', [row.id, commandId])
      await this.claims.sendRemove(tx, { ...row, commandId, hostId: device.hostId, device })
    }
  }

  /** A balancer goes where its device's agent is, and is asserted anew: with the raised epoch. */
  private async follow(tx: Tx, id: string): Promise<void> {
    if ((await lockBalancer(tx, id, null)) === null) return
    const loaded = await loadBalancer(tx, id)
    if (!loaded || loaded.tree.loadBalancer.hostId === loaded.device.hostId) return
    const old = loaded.tree.loadBalancer
    const leaving = old.provisioningStatus === 'PENDING_DELETE' || (await isLeaving(tx, old))
    await this.tombstones.raise(tx, old.hostId, balancerSubject(id), old.generation)
    const { hostId } = loaded.device
    await prepared(
      tx,
      'balancing_follow',
      `UPDATE load_balancers SET host_id = $2, placement_generation = placement_generation + 1, observed_generation = NULL,
         updated_at = now() WHERE id = $1`,
      [id, hostId],
    )
    const here = { ...loaded, tree: { ...loaded.tree, loadBalancer: { ...old, hostId } } }
    const above = await this.tombstones.lift(tx, hostId, balancerSubject(id))
    if (leaving) await this.claims.remove(tx, here, above)
    else await this.claims.change(tx, here, here.tree, above)
  }
}

/** Appliances in the charge of nobody who answers, each with one who would. */
async function listOrphans(tx: Tx): Promise<Orphan[]> {
  return prepared<Orphan & { id: string }>(
    tx,
    'balancing_orphans',
    `SELECT d.id, d.host_id AS "hostId", d.name, n.id AS "nextHostId"
     FROM balancing_devices d JOIN hosts h ON h.id = d.host_id
     CROSS JOIN LATERAL (
       SELECT o.id FROM hosts o
       WHERE o.connected AND o.status = 'Up' AND o.id <> d.host_id
         AND EXISTS (SELECT FROM unnest(o.capabilities) c WHERE regexp_replace(c, ':[a-z]+$', '') = 'balancing-device:' || d.name)
       ORDER BY random() LIMIT 1) n
     WHERE d.kind = 'appliance' AND (NOT h.connected OR h.status <> 'Up')
     LIMIT ${BATCH}`,
  )
}

/** Balancers that stand with the agent before. */
async function listLeftBehind(tx: Tx): Promise<string[]> {
  const rows = await prepared<{ id: string }>(
    tx,
    'balancing_left_behind',
    `SELECT b.id FROM balancing_devices d JOIN load_balancers b ON b.device_id = d.id AND b.host_id <> d.host_id
     WHERE d.kind = 'appliance' ORDER BY b.id LIMIT ${BATCH}`,
  )
  return rows.map(({ id }) => id)
}
