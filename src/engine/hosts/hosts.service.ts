import { Injectable } from '@nestjs/common'
import { Settlement } from '../commands/settlement.js'
import { Events } from '../events/events.service.js'
import { Database, type Tx } from '../platform/database.js'
import { Drains } from '../platform/drains.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { UsersOf } from '../platform/users-of.js'
import { SessionRegistry } from '../sessions/session-registry.js'
import { insertHost } from './admission.js'
import type { HostCreate, HostQuery, HostUpdate } from './host.dto.js'
import { Host } from './host.entity.js'
import { HostChanges } from './host-changes.js'
import { HostStatusChange, hostSubject } from './host-status.js'
import { type HostOccurrence, nextStatus } from './hosts.states.js'

const listing: Listing<Host> = {
  entity: Host,
  sortable: ['name', 'status', 'createdAt'],
  defaultSort: 'name',
  filterable: ['name', 'status'],
}

/** The machines that the plane knows, and what operators ask of them. */
@Injectable()
export class Hosts {
  constructor(
    private readonly database: Database,
    private readonly status: HostStatusChange,
    private readonly events: Events,
    private readonly users: UsersOf,
    private readonly drains: Drains,
    private readonly sessions: SessionRegistry,
    private readonly settlement: Settlement,
    private readonly changes: HostChanges,
  ) {}

  list(query: HostQuery): Promise<Page<Host>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  async require(id: string, tx: Tx = this.database.dataSource.manager): Promise<Host> {
    const host = await tx.findOneBy(Host, { id })
    if (!host) throw new NotFound(`host ${id}`)
    return host
  }

  /** Makes a host known before its agent dials in. */
  async create({ name, labels = {} }: HostCreate): Promise<Host> {
    return this.database.transaction(async (tx) => {
      const id = await insertHost(tx, name, labels)
      if (!id) throw new Conflict(`a host is called ${name} already`, 'name-taken')
      await this.events.append(tx, [
        { type: 'hosts.host.registered', subject: hostSubject(id), hostId: id, payload: { name } },
      ])
      this.changes.announce(tx, id)
      return this.require(id, tx)
    })
  }

  async update(id: string, change: HostUpdate, ifMatch: IfMatch | null): Promise<Host> {
    return this.database.transaction(async (tx) => {
      const host = await this.lock(tx, id)
      requireMatch(ifMatch, host.generation)
      await tx.update(
        Host,
        { id },
        { labels: change.labels ?? host.labels, generation: host.generation + 1, updatedAt: new Date() },
      )
      await this.events.append(tx, [
        { type: 'hosts.host.updated', subject: hostSubject(id), hostId: id, payload: { name: host.name } },
      ])
      this.changes.announce(tx, id)
      return this.require(id, tx)
    })
  }

  /** From now on it takes no new work; it is in maintenance once nothing that must move is left there. */
  async maintain(id: string, reason: string | undefined): Promise<Host> {
    return this.move(id, 'maintenance', reason ?? null, (tx) => this.finishDrain(tx, id))
  }

  async activate(id: string): Promise<Host> {
    return this.move(id, 'activate', null, async () => undefined)
  }

  /** Refused while its agent has a session or something uses the host. */
  async delete(id: string, ifMatch: IfMatch | null): Promise<void> {
    await this.database.transaction(async (tx) => {
      const host = await this.lock(tx, id)
      requireMatch(ifMatch, host.generation)
      if (host.connected)
        throw new Conflict(`the agent of ${host.name} has a session: stop it first (keelson agent leave)`)
      await this.users.requireUnused(tx, 'host', id)
      await this.endCommands(tx, id)
      await tx.delete(Host, { id })
      await this.events.append(tx, [
        { type: 'hosts.host.deleted', subject: hostSubject(id), hostId: id, payload: { name: host.name } },
      ])
      this.database.afterCommit(tx, () => this.sessions.recheck(id))
    })
  }

  /** What was still to be done there never will be. */
  private async endCommands(tx: Tx, hostId: string): Promise<void> {
    const rows: { id: string }[] = await tx.query(
      'SELECT id FROM commands WHERE host_id = $1 AND finished_at IS NULL',
      [hostId],
    )
    for (const { id } of rows)
      await this.settlement.end(tx, id, { type: 'host-deleted', message: 'its host was removed from the plane' })
  }

  /** Hosts whose last thing has moved off are in maintenance. */
  async finishDrains(): Promise<void> {
    const preparing = await this.database.dataSource.manager.findBy(Host, { status: 'PreparingForMaintenance' })
    for (const { id } of preparing) await this.database.transaction((tx) => this.finishDrain(tx, id))
  }

  private async finishDrain(tx: Tx, id: string): Promise<void> {
    const host = await this.lock(tx, id)
    if (host.status !== 'PreparingForMaintenance') return
    const blockers = await this.drains.blockers(tx, id)
    if (blockers.length === 0) await this.status.apply(tx, host, 'drained', host.statusReason)
  }

  private async move(
    id: string,
    occurrence: HostOccurrence,
    reason: string | null,
    then: (tx: Tx) => Promise<void>,
  ): Promise<Host> {
    return this.database.transaction(async (tx) => {
      const host = await this.lock(tx, id)
      if (nextStatus(host.status, occurrence, host.connected) === null) {
        throw new Conflict(`host ${host.name} is ${host.status}: ${occurrence} is not possible`)
      }
      await this.status.apply(tx, host, occurrence, reason)
      await tx.increment(Host, { id }, 'generation', 1)
      await then(tx)
      return this.require(id, tx)
    })
  }

  private async lock(tx: Tx, id: string): Promise<Host> {
    const host = await tx.findOne(Host, { where: { id }, lock: { mode: 'for_no_key_update' } })
    if (!host) throw new NotFound(`host ${id}`)
    return host
  }
}
