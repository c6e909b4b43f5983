import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Commands } from '../commands/commands.service.js'
import { Audit } from '../identity/audit.service.js'
import { Quotas } from '../identity/quotas.js'
import { Database, isRetryable, sqlState, type Tx } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import { Gatherer } from '../platform/gatherer.js'
import { type CreatedAtOnce, type CreationAtOnce, createAtOnce, madeOf } from './creation.queries.js'
import { Credentials } from './credentials.js'
import { type Creation, lockRow, type NewConnection, tryCreate } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { connectionSubject } from './storage-connection.events.js'
import { manageOf, requireAble } from './storage-intent.js'
import { incapable } from './storage-rules.js'

type Wanted = Omit<NewConnection, 'commandId'>

const FOREIGN_KEY_VIOLATION = '23503'

/** Less than what a write takes where many ask at once. */
const LINGER_MS = 10

/**
 * Registering an id that is free: by one statement where nothing stands in the way, else step by step. What is asked for
 * while that statement runs is gathered for the next.
 */
@Injectable()
export class StorageCreation {
  private readonly gatherer = new Gatherer<CreationAtOnce, CreatedAtOnce | null>({
    name: 'new storage connections',
    maxBatch: 100,
    maxWaiting: 2_000,
    lingerMs: LINGER_MS,
    write: (wanted) => this.createAll(wanted),
  })

  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly quotas: Quotas,
    private readonly audit: Audit,
    private readonly credentials: Credentials,
  ) {}

  /** @returns null, and nothing has happened, where there is more to it than one statement knows */
  async atOnce(wanted: Wanted): Promise<StorageConnection | null> {
    if (this.database.isOpen) return null
    const connection = { ...wanted, commandId: randomUUID() }
    const command = this.commands.insertOf(
      manageOf(madeOf(connection), connection.commandId, this.credentials.ofConnection(connection)),
    )
    let row: StorageConnection | null = null
    await this.audit.beside(connectionSubject(wanted.hostId, wanted.connectionId), wanted.projectId, async (draft) => {
      const [found] = await this.gatherer.submit([{ connection, command, draft }]).catch(unlessSomebodyInterfered)
      row = found?.row ?? null
      return found?.auditId ?? null
    })
    return row
  }

  private async createAll(wanted: readonly CreationAtOnce[]): Promise<(CreatedAtOnce | null)[]> {
    const found = await this.database.statement((tx) => createAtOnce(tx, wanted))
    this.commands.queued(wanted.filter((_, i) => found[i]).map(({ command }) => command))
    return found
  }

  /**
   * @param mayBeNew throws where a free id is not to be taken
   * @returns null when the id is in use
   */
  async within(tx: Tx, wanted: Wanted, mayBeNew: () => void): Promise<StorageConnection | null> {
    const { hostId, connectionId, projectId } = wanted
    const connection = { ...wanted, commandId: randomUUID() }
    let { host, vacant, row } = await this.attempt(tx, connection, 'unlimited')
    if (!host) throw new NotFound(`host ${hostId}`)
    requireAble(host, 'storage.manage')
    if (vacant) mayBeNew()
    const obstacle = vacant ? incapable(host, wanted.uri) : null
    if (obstacle) throw obstacle
    if (vacant && !row) {
      // the project has a limit, or is not there
      await this.quotas.claim(tx, projectId, { connections: 1 }).catch(async (error: unknown) => {
        // the last one may have gone to the same request, sent twice
        if (!(await lockRow(tx, hostId, connectionId, [projectId]))) throw error
      })
      row = (await this.attempt(tx, connection, 'claimed')).row
    }
    if (row) await this.send(tx, row, connection.commandId)
    return row
  }

  /** For a storage, whose quota was claimed before. @returns null when the id is in use, or the host has gone */
  async place(tx: Tx, wanted: Wanted): Promise<StorageConnection | null> {
    const connection = { ...wanted, commandId: randomUUID() }
    const { row } = await this.attempt(tx, connection, 'claimed')
    if (row) await this.send(tx, row, connection.commandId)
    return row
  }

  private async send(tx: Tx, row: StorageConnection, commandId: string): Promise<void> {
    await this.commands.enqueue(tx, manageOf(row, commandId, this.credentials.ofConnection(row)))
  }

  private attempt(tx: Tx, connection: NewConnection, quota: 'unlimited' | 'claimed'): Promise<Creation> {
    return tryCreate(tx, connection, quota).catch((error: unknown) => {
      // the host was removed at this moment
      throw sqlState(error) === FOREIGN_KEY_VIOLATION ? new NotFound(`host ${connection.hostId}`) : error
    })
  }
}

/** The host was removed at this moment, or a deadlock was broken: worth a second look. */
function unlessSomebodyInterfered(error: unknown): [] {
  if (isRetryable(error) || sqlState(error) === FOREIGN_KEY_VIOLATION) return []
  throw error
}
