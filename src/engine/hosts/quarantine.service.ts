import { Injectable, Logger } from '@nestjs/common'
import { subjectKey, subjectNoun } from '../../wire/commands.js'
import type { InventoryItem } from '../../wire/session.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { Settings } from '../platform/settings.js'
import type { Differences } from './comparison.js'
import { hostSubject } from './host-status.js'
import type { QuarantineQuery } from './quarantine.dto.js'
import { Quarantined } from './quarantined.entity.js'
import { SubjectOwners } from './subject-owners.js'
import { Tombstones } from './tombstones.service.js'

const listing: Listing<Quarantined> = {
  entity: Quarantined,
  sortable: ['foundAt', 'subject'],
  defaultSort: '-foundAt',
  filterable: ['hostId', 'reason', 'state'],
}

/** Things that hosts hold and the database does not account for: shown to an operator, who alone decides. */
@Injectable()
export class Quarantine {
  private readonly log = new Logger(Quarantine.name)

  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
    private readonly tombstones: Tombstones,
    private readonly owners: SubjectOwners,
    private readonly events: Events,
  ) {}

  list(query: QuarantineQuery): Promise<Page<Quarantined>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  async require(id: string): Promise<Quarantined> {
    const found = await this.database.dataSource.manager.findOneBy(Quarantined, { id })
    if (!found) throw new NotFound(`quarantined thing ${id}`)
    return found
  }

  /** How many things are held: above the limit nothing is removed from any host by itself. */
  async held(tx: Tx): Promise<number> {
    const [row] = await tx.query(
      `SELECT count(*)::int AS held FROM quarantine WHERE state = 'held' AND reason <> 'host'`,
    )
    return row.held
  }

  async removalsAllowed(tx: Tx): Promise<boolean> {
    return (await this.held(tx)) <= this.settings.get('hosts.quarantineLimit')
  }

  /** What one inventory shows: new things are held, things that are accounted for or gone are released. */
  async record(tx: Tx, hostId: string, found: Differences, items: readonly InventoryItem[]): Promise<void> {
    const shown = [
      ...found.unknown.map((item) => ({ item, reason: 'unknown' as const })),
      ...found.dispute.map((item) => ({ item, reason: 'newer' as const })),
      ...found.own.map((item) => ({ item, reason: 'host' as const })),
    ]
    const drafts: EventDraft[] = await this.releaseOthers(
      tx,
      hostId,
      shown.map(({ item }) => item.subject),
      items,
    )
    const before = await this.held(tx)
    for (const { item, reason } of shown) drafts.push(...(await this.hold(tx, hostId, item, reason)))
    drafts.push(...(await this.alarm(tx, before)))
    await this.events.append(tx, drafts)
  }

  /** The operator looked, and it may stay as it is: it counts no more, until its host shows another generation. */
  async dismiss(id: string): Promise<Quarantined> {
    return this.decide(id, 'dismissed', async () => undefined)
  }

  /** The operator has it removed from the host: the tombstone is the evidence. */
  async remove(id: string): Promise<Quarantined> {
    return this.decide(id, 'removed', async (tx, thing) => {
      if (thing.reason !== 'unknown') throw new Conflict(`${thing.subject} has a row: change or delete that instead`)
      const owner = this.owners.find(subjectNoun(thing.subject))
      if (!owner) throw new Conflict(`this engine does not know what ${thing.subject} is`)
      await this.tombstones.raise(tx, thing.hostId, thing.subject, thing.generation)
      await owner.remove(tx, thing.hostId, subjectKey(thing.subject), thing.generation)
    })
  }

  /** A row accounts for the subject again; the generation that its next command must exceed, 0 where nothing was held. */
  async release(tx: Tx, hostId: string, subject: string): Promise<number> {
    const [rows] = await tx.query(
      `UPDATE quarantine SET state = 'released', ended_at = now() WHERE host_id = $1 AND subject = $2 RETURNING generation`,
      [hostId, subject],
    )
    return rows[0]?.generation ?? 0
  }

  private async decide(
    id: string,
    state: 'dismissed' | 'removed',
    act: (tx: Tx, thing: Quarantined) => Promise<void>,
  ): Promise<Quarantined> {
    return this.database.transaction(async (tx) => {
      const thing = await tx.findOne(Quarantined, { where: { id }, lock: { mode: 'pessimistic_write' } })
      if (!thing) throw new NotFound(`quarantined thing ${id}`)
      if (thing.state !== 'held') throw new Conflict(`${thing.subject} is ${thing.state} already`)
      await act(tx, thing)
      await tx.update(Quarantined, { id }, { state, endedAt: new Date() })
      await this.events.append(tx, [
        {
          type: 'hosts.thing.released',
          subject: hostSubject(thing.hostId),
          hostId: thing.hostId,
          payload: { subject: thing.subject, state },
        },
      ])
      return { ...thing, state, endedAt: new Date() }
    })
  }

  private async hold(
    tx: Tx,
    hostId: string,
    item: InventoryItem,
    reason: 'unknown' | 'newer' | 'host',
  ): Promise<EventDraft[]> {
    const rows = await tx.query(
      `INSERT INTO quarantine (host_id, subject, generation, reason, status, detail) VALUES ($1, $2, $3, $4, $5, $6)
       ON CONFLICT (host_id, subject) DO UPDATE
         SET generation = $3, reason = $4, status = $5, detail = $6, state = 'held', found_at = now(), ended_at = NULL
         WHERE quarantine.state IN ('released', 'removed') OR quarantine.generation <> $3
       RETURNING id`,
      [hostId, item.subject, item.generation, reason, item.status, JSON.stringify(item.detail ?? {})],
    )
    if (rows.length === 0 || reason === 'host') return []
    return [
      {
        type: 'hosts.thing.quarantined',
        subject: hostSubject(hostId),
        hostId,
        payload: { subject: item.subject, generation: item.generation, reason },
      },
    ]
  }

  private async releaseOthers(
    tx: Tx,
    hostId: string,
    stay: readonly string[],
    items: readonly InventoryItem[],
  ): Promise<EventDraft[]> {
    const [rows] = await tx.query(
      `UPDATE quarantine SET state = 'released', ended_at = now()
       WHERE host_id = $1 AND state IN ('held', 'dismissed') AND NOT subject = ANY($2::text[]) RETURNING subject`,
      [hostId, stay],
    )
    const held = new Set(items.map((item) => item.subject))
    return rows.map(({ subject }: { subject: string }) => ({
      type: 'hosts.thing.released',
      subject: hostSubject(hostId),
      hostId,
      payload: { subject, state: held.has(subject) ? 'accounted-for' : 'gone' },
    }))
  }

  private async alarm(tx: Tx, before: number): Promise<EventDraft[]> {
    const limit = this.settings.get('hosts.quarantineLimit')
    const held = await this.held(tx)
    if (before > limit || held <= limit) return []
    this.log.error({ held, limit }, 'too many quarantined things: nothing is removed from hosts by itself')
    return [{ type: 'hosts.removals.stopped', subject: 'hosts/quarantine', payload: { held, limit } }]
  }
}
