import { Injectable } from '@nestjs/common'
import { type Caller, mayInPlane, visibleProjects } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import { readCursor, writeCursor } from '../platform/page-cursor.js'
import type { SortColumn } from '../platform/page-sort.js'
import type { Page, PageQuery } from '../platform/pages.js'
import { UsersOf } from '../platform/users-of.js'
import { BadInput, coded } from '../platform/validation.js'
import { releaseBlocks } from './release-blocks.js'
import { viewFault } from './storage-connection.dto.js'
import { type HolderRow, listHolders } from './storage-holders.queries.js'
import type {
  BlastRadiusView,
  StorageHoldersView,
  StorageHolderView,
  StorageTargetQuery,
  StorageTargetView,
} from './storage-target.dto.js'
import { schemeOf, TARGET_ID } from './storage-target.js'
import {
  countsIn,
  type FoundTarget,
  findTarget,
  listStruck,
  listTargets,
  type TargetRow,
} from './storage-targets.queries.js'
import { operatingOf } from './storages.states.js'

const column = (property: string): SortColumn => ({
  property,
  name: property,
  type: 'text',
  nullable: false,
  falling: false,
})
const byTarget = [column('target'), column('targetId')]
const byHolder = [column('hostId'), column('connectionId'), column('origin')]
const byHost = [column('hostId')]

const SHOWN_USERS = 50
const UUID = /^[0-9a-f-]{36}$/

/** The actual targets behind connections: who holds them, and whom a broken one strikes. */
@Injectable()
export class StorageTargets {
  constructor(
    private readonly database: Database,
    private readonly users: UsersOf,
  ) {}

  async list(caller: Caller, query: StorageTargetQuery): Promise<Page<StorageTargetView>> {
    const after = afterOf(query, byTarget)
    const filter = {
      projectIds: visibleProjects(caller),
      hostIds: query.hostId ?? null,
      schemes: query.scheme?.map((scheme) => scheme.toLowerCase()) ?? null,
      operating: query.operatingStatus ?? null,
      target: query.target ?? null,
    }
    const rows = await this.database.statement((tx) => listTargets(tx, filter, after, query.limit + 1))
    return cut(rows, query, byTarget, ({ target, targetId }) => [target, targetId], viewTarget)
  }

  async holders(caller: Caller, targetId: string, query: PageQuery): Promise<StorageHoldersView> {
    const after = afterOf(query, byHolder, 'hostId')
    return this.database.transaction(async (tx) => {
      const found = await this.require(tx, caller, targetId)
      const rows = await listHolders(tx, targetId, visibleProjects(caller), after, query.limit + 1)
      const keyOf = ({ hostId, connectionId, origin }: HolderRow) => [hostId, connectionId, origin]
      const { items, next } = cut(rows, query, byHolder, keyOf, (row) => row)
      const views: StorageHolderView[] = []
      for (const row of items) views.push(await this.viewHolder(tx, caller, row))
      return { targetId, target: found.target, items: views, next, others: found.others }
    })
  }

  async blastRadius(caller: Caller, targetId: string, query: PageQuery): Promise<BlastRadiusView> {
    const after = afterOf(query, byHost, 'hostId')
    return this.database.transaction(async (tx) => {
      const found = await this.require(tx, caller, targetId)
      const rows = await listStruck(tx, targetId, visibleProjects(caller), after, query.limit + 1)
      const page = cut(
        rows,
        query,
        byHost,
        ({ hostId }) => [hostId],
        (row) => ({
          hostId: row.hostId,
          hostName: nameFor(caller, row.hostName),
          operating: countsIn(row),
          connectionIds: row.connectionIds,
          ownConnectionIds: row.ownConnectionIds,
        }),
      )
      const { operatingStatus, operating, connections, hosts } = viewTarget(found)
      const seen = { targetId, target: found.target, operatingStatus, operating, connections, hosts }
      return {
        ...seen,
        others: found.others,
        ...page,
        items: [...page.items],
        users: await this.usersOf(tx, caller, targetId),
      }
    })
  }

  /** What nobody whom the caller may see holds does not exist for the caller. */
  private async require(tx: Tx, caller: Caller, targetId: string): Promise<FoundTarget> {
    const found = TARGET_ID.test(targetId) ? await findTarget(tx, targetId, visibleProjects(caller)) : null
    if (!found) throw new NotFound(`storage target ${targetId}`)
    return found
  }

  private async viewHolder(tx: Tx, caller: Caller, row: HolderRow): Promise<StorageHolderView> {
    const users = row.origin === 'plane' ? await this.users.list(tx, 'storage-connection', row.id) : []
    return {
      hostId: row.hostId,
      hostName: nameFor(caller, row.hostName),
      connectionId: row.connectionId,
      origin: row.origin === 'nobody' ? null : row.origin,
      projectId: row.projectId,
      storageId: row.storageId,
      provisioningStatus: row.provisioningStatus,
      operatingStatus: row.operatingStatus,
      since: row.since.toISOString(),
      connectedSince: row.connectedSince?.toISOString() ?? null,
      lastError: viewFault(row.observedFault, row.observedAt),
      blockedBy: releaseBlocks(row, users.length),
    }
  }

  private async usersOf(tx: Tx, caller: Caller, targetId: string) {
    if (!mayInPlane(caller, 'viewer')) return []
    return (await this.users.list(tx, 'storage-target', targetId)).slice(0, SHOWN_USERS)
  }
}

/** Hosts are the plane's: who sees projects alone knows them by their ids. */
const nameFor = (caller: Caller, name: string): string | null => (mayInPlane(caller, 'viewer') ? name : null)

function viewTarget(row: TargetRow): StorageTargetView {
  const { targetId, target, connections, hosts } = row
  const operating = countsIn(row)
  const operatingStatus = operatingOf({ operating, provisioning: {}, refused: 0 })
  return { targetId, target, scheme: schemeOf(target), operatingStatus, operating, connections, hosts }
}

/** These lists have one order each. @throws BadInput */
function afterOf(
  { sort, cursor }: PageQuery,
  columns: readonly SortColumn[],
  uuid?: string,
): readonly (string | null)[] | null {
  const [first] = columns
  if (sort !== undefined && sort !== first?.property)
    throw new BadInput([coded('sort', 'sort', `sort takes ${first?.property}, or is left out`)])
  if (cursor === undefined) return null
  const values = readCursor(cursor, columns)
  if (uuid === first?.property && !UUID.test(values[0] ?? ''))
    throw new BadInput([coded('cursor', 'cursor', 'cursor is none of ours')])
  return values
}

function cut<R, V>(
  rows: readonly R[],
  { limit }: PageQuery,
  columns: readonly SortColumn[],
  keyOf: (row: R) => string[],
  view: (row: R) => V,
): { items: V[]; next: string | null } {
  const items = rows.slice(0, limit)
  const last = items.at(-1)
  return { items: items.map(view), next: last && rows.length > limit ? writeCursor(columns, keyOf(last)) : null }
}
