import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { storageSubject } from '../../wire/commands.js'
import type { ReadArguments } from '../../wire/storage/arguments.js'
import { Commands } from '../commands/commands.service.js'
import { Events } from '../events/events.service.js'
import { Hosts } from '../hosts/hosts.service.js'
import { Quarantine } from '../hosts/quarantine.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { Quotas } from '../identity/quotas.js'
import { type Caller, mayInPlane, mayInProject, requireInProject, visibleProjects } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, type DomainError, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { claimableFrom, isPending, type PendingStatus } from '../platform/provisioning.js'
import { type Creation, lockRow, type NewConnection, tryCreate, writeIntent } from './storage.queries.js'
import type { StorageConnectionPut, StorageConnectionQuery } from './storage-connection.dto.js'
import { StorageConnection } from './storage-connection.entity.js'
import { eventOf } from './storage-connection.events.js'
import { intentOf, requireAble, sameIntent, type Wanted } from './storage-intent.js'
import { requireArguments, requireCapable } from './storage-rules.js'

export const planeListing: Listing<StorageConnection> = {
  entity: StorageConnection,
  sortable: ['connectionId', 'createdAt', 'operatingStatus', 'provisioningStatus'],
  defaultSort: 'connectionId',
  filterable: ['connectionId', 'projectId', 'operatingStatus', 'provisioningStatus'],
}

/** VDSM's numbers, beside the problem's type. */
const ID_IN_USE = 478
const FOREIGN_KEY_VIOLATION = '23503'

export interface PutConditions {
  readonly ifMatch: IfMatch | null
  /** A change to a pending connection raises its generation instead of being refused. */
  readonly coalesce: boolean
}

/** Storage connections as intent: which ids each host must hold (S1, S4). Hosts keep them up by themselves. */
@Injectable()
export class StorageConnections {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly hosts: Hosts,
    private readonly tombstones: Tombstones,
    private readonly quarantine: Quarantine,
    private readonly events: Events,
    private readonly quotas: Quotas,
  ) {}

  async list(caller: Caller, hostId: string, query: StorageConnectionQuery): Promise<Page<StorageConnection>> {
    await this.hosts.require(hostId)
    return page(this.database.dataSource.manager, planeListing, query, (rows) => {
      inProjectsOf<StorageConnection>(caller)(rows)
      rows.andWhere('row.hostId = :hostId', { hostId })
    })
  }

  async require(caller: Caller, hostId: string, connectionId: string): Promise<StorageConnection> {
    const row = await this.database.dataSource.manager.findOneBy(StorageConnection, { hostId, connectionId })
    if (!row || !mayInProject(caller, row.projectId, 'viewer')) throw notHere(hostId, connectionId)
    return row
  }

  /** S1: registers the id and answers; connecting is the host's business. The same again is a success. */
  async put(
    caller: Caller,
    hostId: string,
    connectionId: string,
    body: StorageConnectionPut,
    conditions: PutConditions,
  ): Promise<StorageConnection> {
    const read = requireArguments(body)
    const wanted = { uri: body.uri, options: body.options ?? {} }
    const projectId = chosenProject(caller, body.projectId)
    return this.database.transaction(async (tx) => {
      const made =
        projectId && (await this.create(tx, { hostId, connectionId, projectId, ...wanted }, read, conditions))
      if (made) return made
      const row = await lockRow(tx, hostId, connectionId, visibleProjects(caller))
      if (!row) throw projectId ? notYours(caller, hostId, connectionId, conditions) : projectMissing()
      requireInProject(caller, row.projectId, 'operator', connectionId)
      if (body.projectId !== undefined && projectId !== row.projectId)
        throw inUse(`${connectionId} belongs to another project, and stays there`)
      return this.putAgain(tx, row, wanted, conditions)
    })
  }

  private async putAgain(
    tx: Tx,
    row: StorageConnection,
    wanted: Wanted,
    { ifMatch, coalesce }: PutConditions,
  ): Promise<StorageConnection> {
    const { connectionId, provisioningStatus } = row
    requireMatch(ifMatch, row.generation)
    if (provisioningStatus === 'PENDING_DELETE')
      throw new Conflict(`${connectionId} is being unmanaged: wait, or use another id`, 'pending')
    if (sameIntent(row, wanted))
      return provisioningStatus === 'ERROR' ? this.change(tx, row, wanted, 'PENDING_UPDATE') : row
    if (!ifMatch) throw inUse(`${connectionId} is in use with other arguments: change it with If-Match`)
    if (isPending(provisioningStatus) && !coalesce) {
      throw new Conflict(`${connectionId} is ${provisioningStatus}: try again, or ask with Prefer: coalesce`, 'pending')
    }
    const status = provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'
    return this.change(tx, row, wanted, status)
  }

  /** S4: an unknown id is an error; a host that cannot be reached is not. */
  async delete(
    caller: Caller,
    hostId: string,
    connectionId: string,
    ifMatch: IfMatch | null,
  ): Promise<StorageConnection> {
    return this.database.transaction(async (tx) => {
      const row = await lockForChange(tx, caller, hostId, connectionId)
      requireMatch(ifMatch, row.generation)
      if (row.provisioningStatus === 'PENDING_DELETE') return row
      return this.unmanage(tx, row)
    })
  }

  /** Disconnects and connects the target once, now. */
  async reset(caller: Caller, hostId: string, connectionId: string): Promise<StorageConnection> {
    return this.database.transaction(async (tx) => {
      requireAble(await this.hosts.require(hostId, tx), 'storage.reset')
      const row = await lockForChange(tx, caller, hostId, connectionId)
      if (row.provisioningStatus !== 'ACTIVE')
        throw new Conflict(`${connectionId} is ${row.provisioningStatus}, not ACTIVE`, 'pending')
      const commandId = randomUUID()
      await this.commands.enqueue(tx, {
        id: commandId,
        kind: 'storage.reset',
        hostId,
        projectId: row.projectId,
        subject: storageSubject(connectionId),
        generation: row.generation,
        payload: { connectionId },
      })
      return writeIntent(tx, { ...row, commandId, provisioningStatus: 'PENDING_UPDATE' })
    })
  }

  /** Claims the row and sends its intent, with a generation above both the row's and `above`. */
  async manage(tx: Tx, row: StorageConnection, status: PendingStatus, above = 0): Promise<StorageConnection> {
    const commandId = randomUUID()
    const generation = Math.max(row.generation, above) + 1
    const claimed = await writeIntent(tx, {
      ...row,
      generation,
      commandId,
      provisioningStatus: status,
      fault: null,
      faultAt: null,
    })
    await this.sendManage(tx, claimed, commandId)
    return claimed
  }

  /** Claims the row for its removal: the tombstone is the evidence for whatever happens to the host meanwhile. */
  async unmanage(tx: Tx, row: StorageConnection, above = 0): Promise<StorageConnection> {
    const generation = Math.max(row.generation, above) + 1
    const commandId = await this.sendUnmanage(tx, row, generation)
    await this.tombstones.raise(tx, row.hostId, storageSubject(row.connectionId), generation)
    const claimed = await writeIntent(tx, { ...row, generation, commandId, provisioningStatus: 'PENDING_DELETE' })
    await this.events.append(tx, [eventOf('storage.connection.unmanaging', claimed)])
    return claimed
  }

  /** Of what has no row, nobody but the plane's own people hear. */
  sendUnmanage(
    tx: Tx,
    { hostId, connectionId, projectId = null }: { hostId: string; connectionId: string; projectId?: string | null },
    generation: number,
  ): Promise<string> {
    const subject = storageSubject(connectionId)
    return this.commands.enqueue(tx, {
      kind: 'storage.unmanage',
      hostId,
      projectId,
      subject,
      generation,
      payload: { connectionId },
    })
  }

  /** @returns null when the id is in use */
  private async create(
    tx: Tx,
    wanted: Omit<NewConnection, 'commandId'>,
    read: ReadArguments,
    { ifMatch }: PutConditions,
  ): Promise<StorageConnection | null> {
    const { hostId, connectionId, projectId } = wanted
    const connection = { ...wanted, commandId: randomUUID() }
    let { host, vacant, row } = await this.attempt(tx, connection, 'unlimited')
    if (!host) throw new NotFound(`host ${hostId}`)
    requireAble(host, 'storage.manage')
    if (vacant && ifMatch) throw notHere(hostId, connectionId)
    if (vacant) requireCapable(host, read)
    if (vacant && !row) {
      // the project has a limit, or is not there
      await this.quotas.claim(tx, projectId, { connections: 1 }).catch(async (error: unknown) => {
        // the last one may have gone to the same request, sent twice
        if (!(await lockRow(tx, hostId, connectionId, [projectId]))) throw error
      })
      row = (await this.attempt(tx, connection, 'claimed')).row
    }
    if (row) await this.sendManage(tx, row, connection.commandId)
    return row
  }

  private attempt(tx: Tx, connection: NewConnection, quota: 'unlimited' | 'claimed'): Promise<Creation> {
    return tryCreate(tx, connection, quota).catch((error: unknown) => {
      // the host was removed at this moment
      throw sqlState(error) === FOREIGN_KEY_VIOLATION ? new NotFound(`host ${connection.hostId}`) : error
    })
  }

  /** What was evidence that it should go no longer is. */
  private async change(
    tx: Tx,
    row: StorageConnection,
    wanted: Wanted,
    status: PendingStatus,
  ): Promise<StorageConnection> {
    const subject = storageSubject(row.connectionId)
    const above = Math.max(
      await this.tombstones.lift(tx, row.hostId, subject),
      await this.quarantine.release(tx, row.hostId, subject),
    )
    return this.manage(tx, { ...row, ...wanted }, status, above)
  }

  private async sendManage(tx: Tx, row: StorageConnection, id: string): Promise<void> {
    const subject = storageSubject(row.connectionId)
    await this.commands.enqueue(tx, {
      id,
      kind: 'storage.manage',
      hostId: row.hostId,
      projectId: row.projectId,
      subject,
      generation: row.generation,
      payload: intentOf(row),
      events: [eventOf('storage.connection.requested', row)],
    })
  }
}

export function claimable(row: StorageConnection, status: PendingStatus): boolean {
  return claimableFrom[status].includes(row.provisioningStatus)
}

/** Of another project's row no lock is taken, and nothing is waited for. */
async function lockForChange(tx: Tx, caller: Caller, hostId: string, connectionId: string): Promise<StorageConnection> {
  const row = await lockRow(tx, hostId, connectionId, visibleProjects(caller))
  if (!row) throw notHere(hostId, connectionId)
  requireInProject(caller, row.projectId, 'operator', connectionId)
  return row
}

/** The id is in use, and the caller cannot see by what. */
function notYours(caller: Caller, hostId: string, connectionId: string, { ifMatch }: PutConditions): DomainError {
  if (ifMatch) return notHere(hostId, connectionId)
  // whoever sees everything sees that it went between the two statements
  if (mayInPlane(caller, 'viewer')) return new Conflict(`${connectionId} was just let go: try again`, 'pending')
  return inUse(`${connectionId} is in use on this host`)
}

const inUse = (message: string) => new Conflict(message, 'id-in-use', { number: ID_IN_USE })

const notHere = (hostId: string, connectionId: string) =>
  new NotFound(`storage connection ${connectionId} of host ${hostId}`)
