import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { Injectable } from '@nestjs/common'
import { sameArguments } from '../../wire/storage/sameness.js'
import { Events } from '../events/events.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, Invalid, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { UsersOf } from '../platform/users-of.js'
import { areHeld, Credentials } from './credentials.js'
import type { StorageCreate, StoragePut, StorageQuery, StorageSelectorInput, StorageUpdate } from './storage.dto.js'
import { Storage, type StorageSelector } from './storage.entity.js'
import { storageEvent } from './storage.events.js'
import { requireCredentialsFor, requireWhole, type StorageArguments, storageArguments } from './storage-arguments.js'
import { lockStorage } from './storage-placement.queries.js'
import { showStorages } from './storage-totals.js'
import type { ShownStorage } from './storage-view.dto.js'
import { StorageWakeups } from './storage-wakeups.js'

const listing: Listing<Storage> = {
  entity: Storage,
  sortable: ['name', 'createdAt'],
  defaultSort: 'name',
  filterable: ['projectId', 'name'],
}

const UNIQUE_VIOLATION = '23505'
const FOREIGN_KEY_VIOLATION = '23503'

type Said = Pick<Storage, 'name' | 'selector'> & StorageArguments

/** Storages as intent: what is to be on which hosts. `StoragePlacement` brings it there. */
@Injectable()
export class Storages {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly credentials: Credentials,
    private readonly wakeups: StorageWakeups,
    private readonly users: UsersOf,
  ) {}

  async list(caller: Caller, query: StorageQuery): Promise<Page<ShownStorage>> {
    const { manager } = this.database.dataSource
    const { items, next } = await page(manager, listing, query, inProjectsOf(caller))
    return { items: await showStorages(manager, items), next }
  }

  async require(caller: Caller, id: string): Promise<ShownStorage> {
    const { manager } = this.database.dataSource
    const storage = await manager.findOneBy(Storage, { id })
    if (!storage) throw notThere(id)
    requireInProject(caller, storage.projectId, 'viewer', `storage ${id}`)
    return shown(manager, storage)
  }

  async create(caller: Caller, body: StorageCreate): Promise<ShownStorage> {
    const said = { name: body.name, selector: selectorOf(body.selector), ...storageArguments(body) }
    requireWhole(said)
    const projectId = chosenProject(caller, body.projectId)
    if (!projectId) throw projectMissing()
    return this.named(said.name, projectId, async (tx) => {
      await requireHosts(tx, said.selector)
      const id = randomUUID()
      const { name, selector, uri, options, credentials = {} } = said
      const sealed = this.credentials.sealForStorage(id, credentials)
      await tx.insert(Storage, { id, projectId, name, selector, uri, options, ...sealed })
      return this.tell(tx, 'storage.storage.created', id)
    })
  }

  /** All of it anew; the same again changes nothing. */
  async put(caller: Caller, id: string, body: StoragePut, ifMatch: IfMatch | null): Promise<ShownStorage> {
    const said = { name: body.name, selector: selectorOf(body.selector), ...storageArguments(body) }
    return this.change(caller, id, ifMatch, said.name, () => said)
  }

  async update(caller: Caller, id: string, body: StorageUpdate, ifMatch: IfMatch | null): Promise<ShownStorage> {
    const { name, selector } = body
    return this.change(caller, id, ifMatch, name ?? '', (storage) => ({
      name: name ?? storage.name,
      selector: selector ? selectorOf(selector) : storage.selector,
      ...storageArguments({
        uri: body.uri ?? storage.uri,
        options: body.options ?? storage.options,
        credentials: body.credentials,
      }),
    }))
  }

  /** Hosts let go one by one; it is gone with the last. Refused while something is on it (U4); asked for twice is one. */
  async delete(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<ShownStorage> {
    return this.database.transaction(async (tx) => {
      const storage = await this.lock(tx, caller, id)
      requireMatch(ifMatch, storage.generation)
      if (storage.deleting) return shown(tx, storage)
      await this.users.requireUnused(tx, 'storage', id)
      await tx.update(Storage, { id }, { deleting: true, generation: storage.generation + 1, updatedAt: new Date() })
      return this.tell(tx, 'storage.storage.deleting', id)
    })
  }

  private async change(
    caller: Caller,
    id: string,
    ifMatch: IfMatch | null,
    name: string,
    saidOf: (storage: Storage) => Said,
  ): Promise<ShownStorage> {
    return this.named(name, null, async (tx) => {
      const storage = await this.lock(tx, caller, id)
      requireMatch(ifMatch, storage.generation)
      if (storage.deleting) throw new Conflict(`storage ${storage.name} is being deleted`, 'pending')
      const said = saidOf(storage)
      requireCredentialsFor(said, storage)
      const sameIntent =
        sameArguments(storage, said) && areHeld(() => this.credentials.ofStorage(storage), said.credentials)
      if (sameIntent && said.name === storage.name && isDeepStrictEqual(said.selector, storage.selector))
        return shown(tx, storage)
      await requireHosts(tx, said.selector, storage.selector)
      await this.write(tx, storage, said, sameIntent)
      return this.tell(tx, 'storage.storage.updated', id)
    })
  }

  private async write(tx: Tx, storage: Storage, said: Said, sameIntent: boolean): Promise<void> {
    const { name, selector, uri, options, credentials } = said
    const { id, generation, intentGeneration } = storage
    const sealed = credentials ? this.credentials.sealForStorage(id, credentials) : {}
    // the same in another spelling stays as its rows on hosts have it
    const intent = sameIntent ? {} : { uri, options, ...sealed, intentGeneration: intentGeneration + 1 }
    await tx.update(Storage, { id }, { name, selector, ...intent, generation: generation + 1, updatedAt: new Date() })
    // what stood against it may not any more
    await tx.query('DELETE FROM storage_refusals WHERE storage_id = $1', [id])
  }

  private async lock(tx: Tx, caller: Caller, id: string): Promise<Storage> {
    const seen = await tx.findOneBy(Storage, { id })
    if (!seen) throw notThere(id)
    // before the lock: nobody waits for, or holds up, what is not theirs
    requireInProject(caller, seen.projectId, 'operator', `storage ${id}`)
    const storage = await lockStorage(tx, id)
    if (!storage) throw notThere(id)
    return storage
  }

  private async tell(tx: Tx, type: Parameters<typeof storageEvent>[0], id: string): Promise<ShownStorage> {
    const storage = await tx.findOneByOrFail(Storage, { id })
    await this.events.append(tx, [storageEvent(type, storage)])
    this.wakeups.wake(tx, id)
    return shown(tx, storage)
  }

  private async named<T>(name: string, projectId: string | null, work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await this.database.transaction(work)
    } catch (error) {
      if (sqlState(error) === UNIQUE_VIOLATION)
        throw new Conflict(`a storage of the project is called ${name} already`, 'name-taken')
      if (projectId && sqlState(error) === FOREIGN_KEY_VIOLATION) throw new NotFound(`project ${projectId}`)
      throw error
    }
  }
}

const notThere = (id: string) => new NotFound(`storage ${id}`)

async function shown(tx: Tx, storage: Storage): Promise<ShownStorage> {
  const [one] = await showStorages(tx, [storage])
  if (!one) throw new Error(`storage ${storage.id} cannot be shown`)
  return one
}

/** @throws Invalid for one that can match nothing */
function selectorOf({ labels, hostIds = [], exceptHostIds = [] }: StorageSelectorInput): StorageSelector {
  if (labels === undefined && hostIds.length === 0) {
    const message = 'must have labels ({} for every host), or hostIds'
    throw new Invalid(`the selector ${message}`, [{ field: 'selector', message }])
  }
  return { labels: labels ?? null, hostIds: spelled(hostIds), exceptHostIds: spelled(exceptHostIds) }
}

/** As the database spells UUIDs, each once, in one order. */
const spelled = (ids: readonly string[]): string[] => [...new Set(ids.map((id) => id.toLowerCase()))].sort()

/** Hosts that were named before may have been removed since. */
async function requireHosts(tx: Tx, { hostIds }: StorageSelector, before?: StorageSelector): Promise<void> {
  const added = hostIds.filter((id) => !before?.hostIds.includes(id))
  if (added.length === 0) return
  const rows: { id: string }[] = await tx.query('SELECT id FROM hosts WHERE id = ANY($1::uuid[])', [added])
  const known = new Set(rows.map(({ id }) => id))
  const faults = added
    .filter((id) => !known.has(id))
    .map((id) => ({ field: 'selector.hostIds', message: `there is no host ${id}` }))
  if (faults.length > 0) throw new Invalid('the selector names hosts that are not there', faults)
}
