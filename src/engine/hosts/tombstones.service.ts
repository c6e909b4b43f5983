import { Injectable } from '@nestjs/common'
import { subjectKey, subjectNoun } from '../../wire/commands.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { hostSubject } from './host-status.js'
import { SubjectOwners } from './subject-owners.js'
import type { TombstoneQuery } from './tombstone.dto.js'
import { Tombstone } from './tombstone.entity.js'

const listing: Listing<Tombstone> = {
  entity: Tombstone,
  sortable: ['createdAt', 'subject'],
  defaultSort: '-createdAt',
  filterable: ['hostId', 'state'],
}

/** The evidence that things were meant to go, and the way out when their host never confirms. */
@Injectable()
export class Tombstones {
  constructor(
    private readonly database: Database,
    private readonly owners: SubjectOwners,
    private readonly events: Events,
  ) {}

  list(query: TombstoneQuery): Promise<Page<Tombstone>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  async require(id: string): Promise<Tombstone> {
    const found = await this.database.dataSource.manager.findOneBy(Tombstone, { id })
    if (!found) throw new NotFound(`tombstone ${id}`)
    return found
  }

  /** In the transaction of the deletion. */
  async raise(tx: Tx, hostId: string, subject: string, generation: number): Promise<void> {
    await tx.query(
      `INSERT INTO tombstones (host_id, subject, generation) VALUES ($1, $2, $3)
       ON CONFLICT (host_id, subject) DO UPDATE
         SET generation = greatest(tombstones.generation, $3), state = 'waiting', created_at = now(), ended_at = NULL`,
      [hostId, subject, generation],
    )
  }

  /** The host has confirmed that the things are gone. */
  async confirm(
    tx: Tx,
    things: readonly { hostId: string; subject: string; generation: number }[],
  ): Promise<EventDraft[]> {
    const [rows] = await tx.query(
      `WITH gone AS (
         SELECT t.id FROM (
           SELECT * FROM jsonb_to_recordset($1::jsonb) AS d("hostId" uuid, subject text, generation int)
           ORDER BY "hostId", subject) d
         CROSS JOIN LATERAL (
           SELECT id, host_id FROM tombstones
           WHERE host_id = d."hostId" AND subject = d.subject AND generation <= d.generation AND state <> 'confirmed'
           FOR UPDATE) t
         WHERE t.host_id = d."hostId")
       UPDATE tombstones t SET state = 'confirmed', ended_at = now() FROM gone WHERE t.id = gone.id
       RETURNING t.host_id, t.subject`,
      [JSON.stringify(things)],
    )
    return rows.map((row: { host_id: string; subject: string }) => ({
      type: 'hosts.tombstone.confirmed',
      subject: hostSubject(row.host_id),
      hostId: row.host_id,
      payload: { subject: row.subject },
    }))
  }

  /** A new thing takes the place: what was evidence against it no longer is. @returns the generation to exceed */
  async lift(tx: Tx, hostId: string, subject: string): Promise<number> {
    const [rows] = await tx.query('DELETE FROM tombstones WHERE host_id = $1 AND subject = $2 RETURNING generation', [
      hostId,
      subject,
    ])
    return rows[0]?.generation ?? 0
  }

  /**
   * Gives a name free although the host has not confirmed: the row goes now, the evidence stays, and the thing is
   * removed when its host shows it.
   */
  async forget(id: string): Promise<Tombstone> {
    return this.database.transaction(async (tx) => {
      const tombstone = await tx.findOne(Tombstone, { where: { id }, lock: { mode: 'pessimistic_write' } })
      if (!tombstone) throw new NotFound(`tombstone ${id}`)
      if (tombstone.state !== 'waiting')
        throw new Conflict(`the tombstone of ${tombstone.subject} is ${tombstone.state} already`)
      const { hostId, subject } = tombstone
      const drafts = (await this.owners.find(subjectNoun(subject))?.forget(tx, hostId, subjectKey(subject))) ?? []
      const endedAt = new Date()
      await tx.update(Tombstone, { id }, { state: 'forgotten', endedAt })
      await this.events.append(tx, [
        ...drafts,
        { type: 'hosts.tombstone.forgotten', subject: hostSubject(hostId), hostId, payload: { subject } },
      ])
      return { ...tombstone, state: 'forgotten', endedAt }
    })
  }

  /** Retention: confirmed evidence that is older than the setting says. */
  async removeOld(olderThanMs: number): Promise<void> {
    await this.database.dataSource.query(
      `DELETE FROM tombstones WHERE state = 'confirmed' AND ended_at < now() - $1::float8 * interval '1 millisecond'`,
      [olderThanMs],
    )
  }
}
