import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { storageSubject } from '../../wire/commands.js'
import { sameArguments } from '../../wire/storage/sameness.js'
import { Commands } from '../commands/commands.service.js'
import { Events } from '../events/events.service.js'
import { Hosts } from '../hosts/hosts.service.js'
import { Quarantine } from '../hosts/quarantine.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { type Caller, mayInProject, requireInProject, visibleProjects } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import { claimableFrom, isPending, type PendingStatus } from '../platform/provisioning.js'
import { UsersOf } from '../platform/users-of.js'
import { inUse, notHere, notYours, ofStorage, requireOwnNamespace } from './connection-errors.js'
import { lockForChange, storageOf } from './connection-locks.js'
import { areHeld, Credentials } from './credentials.js'
import { lockRow, writeIntent } from './storage.queries.js'
import { requireCredentialsFor, requireWhole, type StorageArguments, storageArguments } from './storage-arguments.js'
import type { StorageConnectionPut } from './storage-connection.dto.js'
import { StorageConnection } from './storage-connection.entity.js'
import { eventOf } from './storage-connection.events.js'
import { StorageCreation } from './storage-creation.js'
import { manageOf, obstacleOn, requireAble, type Wanted } from './storage-intent.js'

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
    private readonly creation: StorageCreation,
    private readonly credentials: Credentials,
    private readonly users: UsersOf,
  ) {}

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
    requireOwnNamespace(connectionId)
    const wanted = storageArguments(body)
    const projectId = chosenProject(caller, body.projectId)
    const first = projectId && { hostId, connectionId, projectId, ...this.sealed(hostId, connectionId, wanted) }
    const mayBeNew = () => {
      if (conditions.ifMatch) throw notHere(hostId, connectionId)
      requireWhole(wanted)
    }
    const atOnce = first && !conditions.ifMatch && !wanted.lack && (await this.creation.atOnce(first))
    if (atOnce) return atOnce
    return this.database.transaction(async (tx) => {
      const made = first && (await this.creation.within(tx, first, mayBeNew))
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
    wanted: StorageArguments,
    { ifMatch, coalesce }: PutConditions,
  ): Promise<StorageConnection> {
    const { hostId, connectionId, provisioningStatus } = row
    requireMatch(ifMatch, row.generation)
    if (provisioningStatus === 'PENDING_DELETE')
      throw new Conflict(`${connectionId} is being unmanaged: wait, or use another id`, 'pending')
    if (sameArguments(row, wanted) && areHeld(() => this.credentials.ofConnection(row), wanted.credentials))
      return provisioningStatus === 'ERROR' ? this.change(tx, row, row, 'PENDING_UPDATE') : row
    if (!ifMatch) throw inUse(`${connectionId} is in use with other arguments: change it with If-Match`)
    if (isPending(provisioningStatus) && !coalesce) {
      throw new Conflict(`${connectionId} is ${provisioningStatus}: try again, or ask with Prefer: coalesce`, 'pending')
    }
    requireCredentialsFor(wanted, row)
    const obstacle = obstacleOn(await this.hosts.require(hostId, tx), wanted.uri)
    if (obstacle) throw obstacle
    const status = provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE'
    const { uri, options } = wanted
    const change = wanted.credentials ? this.sealed(hostId, connectionId, wanted) : { ...row, uri, options }
    return this.change(tx, row, change, status)
  }

  /** S4: an unknown id is an error, and one that something is on (U4); a host that cannot be reached is not. */
  async delete(
    caller: Caller,
    hostId: string,
    connectionId: string,
    ifMatch: IfMatch | null,
  ): Promise<StorageConnection> {
    return this.database.transaction(async (tx) => {
      const row = await lockForChange(tx, caller, hostId, connectionId)
      if (row.storageId) throw ofStorage(connectionId, await storageOf(tx, row.storageId))
      requireMatch(ifMatch, row.generation)
      if (row.provisioningStatus === 'PENDING_DELETE') return row
      await this.users.requireUnused(tx, 'storage-connection', row.id)
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

  /** What was evidence that it should go no longer is. */
  async change(
    tx: Tx,
    row: StorageConnection,
    wanted: Partial<Wanted & Pick<StorageConnection, 'storageGeneration'>>,
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
    await this.commands.enqueue(tx, manageOf(row, id, this.credentials.ofConnection(row)))
  }

  private sealed(hostId: string, connectionId: string, { uri, options, credentials = {} }: StorageArguments): Wanted {
    return { uri, options, ...this.credentials.sealForConnection(hostId, connectionId, credentials) }
  }
}

export function claimable(row: StorageConnection, status: PendingStatus): boolean {
  return claimableFrom[status].includes(row.provisioningStatus)
}
