import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { type CommandKind, type StorageManage, storageSubject } from '../../wire/commands.js'
import { Commands } from '../commands/commands.service.js'
import type { EventType } from '../events/event-types.js'
import { type EventDraft, Events } from '../events/events.service.js'
import type { Host } from '../hosts/host.entity.js'
import { Hosts } from '../hosts/hosts.service.js'
import { Quarantine } from '../hosts/quarantine.service.js'
import { Tombstones } from '../hosts/tombstones.service.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { claimableFrom, isPending, type PendingStatus } from '../platform/provisioning.js'
import { lockRow, tryCreate, writeIntent } from './storage.queries.js'
import type { StorageConnectionPut, StorageConnectionQuery } from './storage-connection.dto.js'
import { StorageConnection } from './storage-connection.entity.js'
import { parseStorageUri } from './storage-uri.js'

const listing: Listing<StorageConnection> = {
  entity: StorageConnection,
  sortable: ['connectionId', 'createdAt', 'operatingStatus', 'provisioningStatus'],
  defaultSort: 'connectionId',
  filterable: ['connectionId', 'operatingStatus', 'provisioningStatus'],
}

/** VDSM's numbers, beside the problem's type. */
const ID_IN_USE = 478
const FOREIGN_KEY_VIOLATION = '23503'

export interface PutConditions {
  readonly ifMatch: IfMatch | null
  /** A change to a pending connection raises its generation instead of being refused. */
  readonly coalesce: boolean
}

export const connectionSubject = (hostId: string, connectionId: string): string =>
  `storage-connection/${hostId}/${connectionId}`

export const intentOf = (row: Pick<StorageConnection, 'connectionId' | 'uri' | 'options'>): StorageManage => ({
  connectionId: row.connectionId,
  uri: row.uri,
  options: row.options,
})

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
  ) {}

  async list(hostId: string, query: StorageConnectionQuery): Promise<Page<StorageConnection>> {
    await this.hosts.require(hostId)
    return page(this.database.dataSource.manager, listing, query, (rows) =>
      rows.andWhere('row.hostId = :hostId', { hostId }),
    )
  }

  async require(hostId: string, connectionId: string): Promise<StorageConnection> {
    const row = await this.database.dataSource.manager.findOneBy(StorageConnection, { hostId, connectionId })
    if (!row) throw notHere(hostId, connectionId)
    return row
  }

  /** S1: registers the id and answers; connecting is the host's business. The same again is a success. */
  async put(
    hostId: string,
    connectionId: string,
    body: StorageConnectionPut,
    conditions: PutConditions,
  ): Promise<StorageConnection> {
    parseStorageUri(body.uri)
    const wanted = { uri: body.uri, options: body.options ?? {} }
    return this.database.transaction(async (tx) => {
      const made = await this.create(tx, hostId, connectionId, wanted, conditions)
      if (made) return made
      const row = await lockRow(tx, hostId, connectionId)
      // it went between the two statements
      if (!row) throw new Conflict(`${connectionId} was just let go: try again`, 'pending')
      requireMatch(conditions.ifMatch, row.generation)
      if (row.provisioningStatus === 'PENDING_DELETE')
        throw new Conflict(`${connectionId} is being unmanaged: wait, or use another id`, 'pending')
      if (sameIntent(row, wanted))
        return row.provisioningStatus === 'ERROR' ? this.change(tx, row, wanted, 'PENDING_UPDATE') : row
      if (!conditions.ifMatch) {
        throw new Conflict(`${connectionId} is in use with other arguments: change it with If-Match`, 'id-in-use', {
          number: ID_IN_USE,
        })
      }
      if (isPending(row.provisioningStatus) && !conditions.coalesce) {
        throw new Conflict(
          `${connectionId} is ${row.provisioningStatus}: try again, or ask with Prefer: coalesce`,
          'pending',
        )
      }
      return this.change(
        tx,
        row,
        wanted,
        row.provisioningStatus === 'PENDING_CREATE' ? 'PENDING_CREATE' : 'PENDING_UPDATE',
      )
    })
  }

  /** S4: an unknown id is an error; a host that cannot be reached is not. */
  async delete(hostId: string, connectionId: string, ifMatch: IfMatch | null): Promise<StorageConnection> {
    return this.database.transaction(async (tx) => {
      const row = await lockRow(tx, hostId, connectionId)
      if (!row) throw notHere(hostId, connectionId)
      requireMatch(ifMatch, row.generation)
      if (row.provisioningStatus === 'PENDING_DELETE') return row
      return this.unmanage(tx, row)
    })
  }

  /** Disconnects and connects the target once, now. */
  async reset(hostId: string, connectionId: string): Promise<StorageConnection> {
    return this.database.transaction(async (tx) => {
      requireAble(await this.hosts.require(hostId, tx), 'storage.reset')
      const row = await lockRow(tx, hostId, connectionId)
      if (!row) throw notHere(hostId, connectionId)
      if (row.provisioningStatus !== 'ACTIVE')
        throw new Conflict(`${connectionId} is ${row.provisioningStatus}, not ACTIVE`, 'pending')
      const commandId = randomUUID()
      await this.commands.enqueue(tx, {
        id: commandId,
        kind: 'storage.reset',
        hostId,
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
    const commandId = await this.sendUnmanage(tx, row.hostId, row.connectionId, generation)
    await this.tombstones.raise(tx, row.hostId, storageSubject(row.connectionId), generation)
    const claimed = await writeIntent(tx, { ...row, generation, commandId, provisioningStatus: 'PENDING_DELETE' })
    await this.events.append(tx, [eventOf('storage.connection.unmanaging', claimed)])
    return claimed
  }

  sendUnmanage(tx: Tx, hostId: string, connectionId: string, generation: number): Promise<string> {
    const subject = storageSubject(connectionId)
    return this.commands.enqueue(tx, {
      kind: 'storage.unmanage',
      hostId,
      subject,
      generation,
      payload: { connectionId },
    })
  }

  /** @returns null when the id is in use */
  private async create(
    tx: Tx,
    hostId: string,
    connectionId: string,
    wanted: Pick<StorageConnection, 'uri' | 'options'>,
    { ifMatch }: PutConditions,
  ): Promise<StorageConnection | null> {
    const commandId = randomUUID()
    const { host, row } = await tryCreate(tx, { hostId, connectionId, ...wanted, commandId }).catch(
      (error: unknown) => {
        // the host was removed at this moment
        throw sqlState(error) === FOREIGN_KEY_VIOLATION ? new NotFound(`host ${hostId}`) : error
      },
    )
    if (!host) throw new NotFound(`host ${hostId}`)
    requireAble(host, 'storage.manage')
    if (!row) return null
    if (ifMatch) throw notHere(hostId, connectionId)
    await this.sendManage(tx, row, commandId)
    return row
  }

  /** What was evidence that it should go no longer is. */
  private async change(
    tx: Tx,
    row: StorageConnection,
    wanted: Pick<StorageConnection, 'uri' | 'options'>,
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
      subject,
      generation: row.generation,
      payload: intentOf(row),
      events: [eventOf('storage.connection.requested', row)],
    })
  }
}

/** @throws Conflict when the agent that is known of the host does not carry it out */
function requireAble(
  host: Pick<Host, 'name' | 'agentId'> & { readonly kinds: readonly string[] },
  kind: CommandKind,
): void {
  if (host.agentId !== null && !host.kinds.includes(kind)) {
    throw new Conflict(`the agent of ${host.name} does not understand ${kind}: update it`, 'unsupported-by-host')
  }
}

export function eventOf(type: EventType, row: StorageConnection, more: Record<string, unknown> = {}): EventDraft {
  return {
    type,
    subject: connectionSubject(row.hostId, row.connectionId),
    hostId: row.hostId,
    payload: {
      connectionId: row.connectionId,
      generation: row.generation,
      provisioningStatus: row.provisioningStatus,
      ...more,
    },
  }
}

export function claimable(row: StorageConnection, status: PendingStatus): boolean {
  return claimableFrom[status].includes(row.provisioningStatus)
}

function sameIntent(row: StorageConnection, wanted: Pick<StorageConnection, 'uri' | 'options'>): boolean {
  const keys = Object.keys(wanted.options)
  return (
    row.uri === wanted.uri &&
    keys.length === Object.keys(row.options).length &&
    keys.every((key) => row.options[key] === wanted.options[key])
  )
}

const notHere = (hostId: string, connectionId: string) =>
  new NotFound(`storage connection ${connectionId} of host ${hostId}`)
