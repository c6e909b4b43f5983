import { Injectable } from '@nestjs/common'
import { providers } from '../../wire/balancing/providers.js'
import { balancerSubject, subjectKey } from '../../wire/commands.js'
import type { InventoryItem } from '../../wire/session.js'
import { Settlement } from '../commands/settlement.js'
import type { EventDraft } from '../events/events.service.js'
import { type HostObservation, type Intent, type SubjectOwner, SubjectOwners } from '../hosts/subject-owners.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import { prepared, type Tx } from '../platform/database.js'
import { BalancerClaims } from './balancer-claims.js'
import { eventOf, type Told, toldColumns } from './balancing.events.js'
import { ENDED_PARTS } from './ended-parts.queries.js'
import { HOLDER_NOUN } from './load-balancer.entity.js'
import { forgetSight, observeBalancers } from './observation.queries.js'
import { keepGeneration, type Loaded, loadBalancer, lockBalancer } from './tree.queries.js'
import { storedTree } from './tree-changes.js'

interface IntentRow {
  id: string
  generation: number
  digest: string
  leaving: boolean
  failed: boolean
  under_way: boolean
}

/** Load balancers in the comparison of intent and fact. */
@Injectable()
export class BalancingSubjects implements SubjectOwner {
  constructor(
    owners: SubjectOwners,
    private readonly claims: BalancerClaims,
    private readonly settlement: Settlement,
    private readonly addresses: NetworkAddresses,
  ) {
    owners.register(HOLDER_NOUN, this)
  }

  /** One that is still to leave another device is none of this host's yet. */
  async intents(tx: Tx, hostId: string): Promise<Intent[]> {
    const rows = await prepared<IntentRow>(
      tx,
      'balancing_intents',
      `SELECT b.id, b.generation, b.intent_digest AS digest,
         b.provisioning_status = 'PENDING_DELETE' OR t.id IS NOT NULL AS leaving,
         b.provisioning_status = 'ERROR' AS failed,
         EXISTS (SELECT FROM commands c WHERE c.id = b.command_id AND c.finished_at IS NULL) AS under_way
       FROM load_balancers b
       LEFT JOIN tombstones t ON t.host_id = b.host_id AND t.subject = 'load-balancer/' || b.id AND t.state = 'waiting'
       WHERE b.host_id = $1 AND b.moving_from_device_id IS NULL ORDER BY b.id`,
      [hostId],
    )
    return rows.map(({ id, under_way: underWay, ...row }) => ({ ...row, underWay, subject: balancerSubject(id) }))
  }

  async assert(tx: Tx, hostId: string, key: string, above: number): Promise<void> {
    const loaded = await locked(tx, hostId, key)
    if (loaded && loaded.tree.loadBalancer.provisioningStatus !== 'PENDING_DELETE')
      await this.claims.change(tx, loaded, loaded.tree, above)
  }

  async remove(tx: Tx, hostId: string, key: string, generation: number): Promise<void> {
    const loaded = await locked(tx, hostId, key)
    if (loaded) await this.claims.remove(tx, loaded, generation)
    else await this.claims.sendRemove(tx, { id: key, hostId, generation, ...(await lastKnown(tx, hostId, key)) })
  }

  async adopt(tx: Tx, hostId: string, { subject, generation }: InventoryItem): Promise<EventDraft[]> {
    const rows = await prepared<Told>(
      tx,
      'balancing_adopt',
      `WITH moved AS (
         UPDATE load_balancers b
         SET generation = $3, good_generation = $3, provisioning_status = 'ACTIVE', fault = NULL, fault_at = NULL, updated_at = now()
         WHERE b.id = $2 AND b.host_id = $1 AND (b.generation < $3 OR (b.generation = $3 AND b.provisioning_status = 'ERROR'))
         RETURNING ${toldColumns('b')}, true AS ok
       ), ${ENDED_PARTS}
       SELECT * FROM moved`,
      [hostId, subjectKey(subject), generation],
    )
    for (const { id } of rows) {
      const loaded = await loadBalancer(tx, id)
      if (loaded) await keepGeneration(tx, id, generation, storedTree(loaded.tree), 'good')
    }
    return rows.map((row) => eventOf('balancing.balancer.applied', row))
  }

  async dispute(tx: Tx, hostId: string, item: InventoryItem): Promise<EventDraft[]> {
    const message = `the host holds generation ${item.generation} of it, which says something else than the database: change or reset it to say what holds`
    const fault = { type: 'newer-on-host', message }
    const rows = await prepared<Told>(
      tx,
      'balancing_dispute',
      `WITH moved AS (
         UPDATE load_balancers b
         SET generation = $3, provisioning_status = 'ERROR', fault = $4, fault_at = now(), updated_at = now()
         WHERE b.id = $2 AND b.host_id = $1 AND b.generation < $3
         RETURNING ${toldColumns('b')}, false AS ok
       ), ${ENDED_PARTS}
       SELECT * FROM moved`,
      [hostId, subjectKey(item.subject), item.generation, JSON.stringify(fault)],
    )
    return rows.map((row) => eventOf('balancing.balancer.failed', row, { fault }))
  }

  observe(tx: Tx, observations: readonly HostObservation[]): Promise<EventDraft[]> {
    return observeBalancers(tx, observations)
  }

  unseen(tx: Tx, hostId: string): Promise<void> {
    return forgetSight(tx, hostId)
  }

  async forget(tx: Tx, hostId: string, key: string): Promise<EventDraft[]> {
    const loaded = await locked(tx, hostId, key)
    if (!loaded) return []
    const { loadBalancer: row } = loaded.tree
    await tx.query('DELETE FROM load_balancers WHERE id = $1', [row.id])
    await this.addresses.release(tx, { noun: HOLDER_NOUN, id: row.id })
    const fault = { type: 'forgotten', message: 'an administrator gave it up without the confirmation of the host' }
    if (row.commandId) await this.settlement.end(tx, row.commandId, fault, 'superseded')
    return [eventOf('balancing.balancer.forgotten', { ...row, provisioningStatus: 'DELETED' })]
  }
}

/** Null: there is none, or it lives elsewhere. */
/** One that is still to leave another device is none of this host's yet: what the host has is what it had of it before. */
async function locked(tx: Tx, hostId: string, id: string): Promise<Loaded | null> {
  if ((await lockBalancer(tx, id, null)) === null) return null
  const loaded = await loadBalancer(tx, id)
  const row = loaded?.tree.loadBalancer
  return row?.hostId === hostId && row.movingFromDeviceId === null ? loaded : null
}

/** How a thing without a row was last spoken of to its host; else as the host may have it. */
async function lastKnown(tx: Tx, hostId: string, key: string) {
  const [spoken]: { payload: { provider?: string; device?: { name: string; epoch: number } } }[] = await tx.query(
    `SELECT payload FROM commands WHERE host_id = $1 AND subject = $2 AND kind LIKE 'balancing.%' ORDER BY seq DESC LIMIT 1`,
    [hostId, balancerSubject(key)],
  )
  const [host]: { capabilities: string[] }[] = await tx.query('SELECT capabilities FROM hosts WHERE id = $1', [hostId])
  const provider =
    providers.find((one) => one === spoken?.payload.provider) ??
    providers.find((one) => host?.capabilities.includes(`balancing:${one}`)) ??
    providers[0]
  const { name = 'host', epoch = 1 } = spoken?.payload.device ?? {}
  return { provider, device: { kind: name === 'host' ? ('host' as const) : ('appliance' as const), name, epoch } }
}
