import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { Quotas } from '../identity/quotas.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict } from '../platform/errors.js'
import { isPending } from '../platform/provisioning.js'
import type { TurnEnd } from '../platform/schedules.js'
import { storageConnectionId } from './connection-errors.js'
import { Credentials } from './credentials.js'
import { Storage } from './storage.entity.js'
import { storageEvent } from './storage.events.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { StorageConnections } from './storage-connections.service.js'
import { StorageCreation } from './storage-creation.js'
import { obstacleOn } from './storage-intent.js'
import {
  forgetStrayRefusals,
  hostsOf,
  hostsWithout,
  lockStorage,
  type MatchedHost,
  recordRefusals,
  rowsToChange,
  rowsToGo,
} from './storage-placement.queries.js'

/** Rows that one transaction touches: it holds the locks of the storage and of the project's quota. */
const BATCH = 50

interface Refusal {
  readonly hostId: string
  readonly fault: { readonly type: string; readonly message: string; readonly number?: number }
}

/** One transaction's worth of bringing a storage to where it should be. */
@Injectable()
export class StorageBatch {
  constructor(
    private readonly database: Database,
    private readonly connections: StorageConnections,
    private readonly creation: StorageCreation,
    private readonly quotas: Quotas,
    private readonly events: Events,
    private readonly credentials: Credentials,
  ) {}

  run(storageId: string): Promise<TurnEnd> {
    return this.database.transaction(async (tx) => {
      const storage = await lockStorage(tx, storageId)
      if (!storage) return 'finished'
      const done = [await this.letGo(tx, storage), await this.change(tx, storage), await this.add(tx, storage)]
      if (done.includes(BATCH)) return 'unfinished'
      await forgetStrayRefusals(tx, storageId)
      await this.finish(tx, storage)
      return 'finished'
    })
  }

  private async letGo(tx: Tx, { id }: Storage): Promise<number> {
    const rows = await rowsToGo(tx, id, BATCH)
    for (const row of rows) await this.connections.unmanage(tx, row)
    return rows.length
  }

  /** A host that cannot take it on keeps what it has, and is told of as one that is new. */
  private async change(tx: Tx, storage: Storage): Promise<number> {
    const rows = await rowsToChange(tx, storage.id, BATCH)
    if (rows.length === 0) return 0
    const { able, refused } = byAbility(await hostsOf(tx, rows), storage)
    await this.refuse(tx, storage, refused)
    for (const row of rows.filter(({ hostId }) => able.some(({ id }) => id === hostId))) {
      const status = isPending(row.provisioningStatus) ? row.provisioningStatus : 'PENDING_UPDATE'
      await this.connections.change(
        tx,
        row,
        { ...this.wantedOn(storage, row.hostId), storageGeneration: storage.intentGeneration },
        status,
      )
    }
    return rows.length
  }

  /** A host that cannot be given its row is told of, and holds up no other. */
  private async add(tx: Tx, storage: Storage): Promise<number> {
    const hosts = await hostsWithout(tx, storage.id, BATCH)
    const { able, refused } = byAbility(hosts, storage)
    const room = await this.claim(tx, storage.projectId, able.length)
    for (const host of able.slice(0, room.count)) {
      const made = await this.creation.place(tx, {
        hostId: host.id,
        projectId: storage.projectId,
        connectionId: storageConnectionId(storage.id),
        ...this.wantedOn(storage, host.id),
        storage: { id: storage.id, generation: storage.intentGeneration },
      })
      if (!made) refused.push(taken(host))
    }
    for (const host of able.slice(room.count)) {
      refused.push({ hostId: host.id, fault: { type: 'quota-exceeded', message: room.message } })
    }
    await this.refuse(tx, storage, refused)
    return hosts.length
  }

  /** As many as the quota allows, up to `wanted`. */
  private async claim(tx: Tx, projectId: string, wanted: number): Promise<{ count: number; message: string }> {
    let count = wanted
    let message = ''
    if (count === 0) return { count, message }
    try {
      await this.quotas.claim(tx, projectId, { connections: count })
    } catch (error) {
      if (!(error instanceof Conflict && error.type === 'quota-exceeded')) throw error
      const { limit, used } = error.extra as { limit: number; used: number } // as `Quotas` tells it
      count = Math.max(0, limit - used)
      message = `the project may have ${limit} connections, and has as many`
      // the project's row is locked by now: nobody came between
      if (count > 0) await this.quotas.claim(tx, projectId, { connections: count })
    }
    return { count, message }
  }

  private async refuse(tx: Tx, storage: Storage, refused: readonly Refusal[]): Promise<void> {
    if (refused.length === 0) return
    const fresh = new Set(await recordRefusals(tx, storage.id, refused))
    const told = refused.filter(({ hostId }) => fresh.has(hostId))
    await this.events.append(
      tx,
      told.map(({ hostId, fault }) => ({ ...storageEvent('storage.storage.refused', storage, { fault }), hostId })),
    )
  }

  private async finish(tx: Tx, storage: Storage): Promise<void> {
    const { id, deleting, generation, placedGeneration } = storage
    if (deleting) {
      const [row] = await tx.query('SELECT EXISTS (SELECT FROM storage_connections WHERE storage_id = $1) AS held', [
        id,
      ])
      if (row.held) return
      await tx.delete(Storage, { id })
      await this.events.append(tx, [storageEvent('storage.storage.deleted', storage)])
    } else if (placedGeneration < generation) await tx.update(Storage, { id }, { placedGeneration: generation })
  }

  private wantedOn(storage: Storage, hostId: string) {
    return {
      uri: storage.uri,
      options: storage.options,
      ...this.credentials.sealForConnection(
        hostId,
        storageConnectionId(storage.id),
        this.credentials.ofStorage(storage),
      ),
    } satisfies Partial<StorageConnection>
  }
}

/** Who can be asked for it, and why the others cannot. */
function byAbility(hosts: readonly MatchedHost[], { uri }: Storage): { able: MatchedHost[]; refused: Refusal[] } {
  const able: MatchedHost[] = []
  const refused: Refusal[] = []
  for (const host of hosts) {
    const obstacle = obstacleOn(host, uri)
    if (obstacle) refused.push({ hostId: host.id, fault: { type: obstacle.type, message: obstacle.message } })
    else able.push(host)
  }
  return { able, refused }
}

const taken = ({ id, name }: MatchedHost): Refusal => ({
  hostId: id,
  fault: { type: 'id-in-use', message: `the id is in use on ${name}`, number: 478 },
})
