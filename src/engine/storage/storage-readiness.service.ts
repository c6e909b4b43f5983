import { Injectable } from '@nestjs/common'
import { type Caller, visibleProjects } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import { Invalid } from '../platform/errors.js'
import { readCursor, writeCursor } from '../platform/page-cursor.js'
import type { SortColumn } from '../platform/page-sort.js'
import type { Page } from '../platform/pages.js'
import { BadInput, coded } from '../platform/validation.js'
import { storageConnectionId } from './connection-errors.js'
import { type HostReadinessView, type StorageReadinessQuery, viewReadiness } from './storage-readiness.dto.js'
import { hostsByReadiness, type StorageNeeds, storageReadiness } from './storage-readiness.js'

const byHost: readonly SortColumn[] = [
  { property: 'hostId', name: 'id', type: 'uuid', nullable: false, falling: false },
]
const UUID = /^[0-9a-f-]{36}$/

/** S12 as callers ask it: whoever places something calls `storageReadiness` in its own transaction. */
@Injectable()
export class StorageReadinessReader {
  constructor(private readonly database: Database) {}

  async list(caller: Caller, query: StorageReadinessQuery): Promise<Page<HostReadinessView>> {
    const needs = needsOf(caller, query)
    const ready = wanted(query.ready)
    return this.database.transaction(async (tx) => {
      if (query.hostId) {
        const hostIds = [...new Set(query.hostId.map((id) => id.toLowerCase()))]
        const found = await storageReadiness(tx, hostIds, needs)
        return { items: found.filter((one) => ready === null || one.ready === ready).map(viewReadiness), next: null }
      }
      const hostIds = await hostsByReadiness(tx, needs, { after: afterOf(query), ready, limit: query.limit + 1 })
      const shown = hostIds.slice(0, query.limit)
      const last = shown.at(-1)
      return {
        items: (await storageReadiness(tx, shown, needs)).map(viewReadiness),
        next: last && hostIds.length > query.limit ? writeCursor(byHost, [last]) : null,
      }
    })
  }
}

function needsOf(caller: Caller, { connectionId = [], storageId = [] }: StorageReadinessQuery): StorageNeeds {
  const connectionIds = [...connectionId, ...storageId.map((id) => storageConnectionId(id.toLowerCase()))]
  if (connectionIds.length === 0) {
    const message = 'must say at least one id that is needed'
    throw new Invalid(`connectionId ${message}`, [{ field: 'connectionId', message }])
  }
  return { connectionIds, projectIds: visibleProjects(caller) }
}

/** Null: either. */
function wanted(ready: readonly string[] | undefined): boolean | null {
  const [first, ...others] = new Set(ready)
  return first === undefined || others.length > 0 ? null : first === 'true'
}

function afterOf({ sort, cursor }: StorageReadinessQuery): string | null {
  if (sort !== undefined && sort !== 'hostId')
    throw new BadInput([coded('sort', 'sort', 'sort takes hostId, or is left out')])
  if (cursor === undefined) return null
  const [after] = readCursor(cursor, byHost)
  if (!after || !UUID.test(after)) throw new BadInput([coded('cursor', 'cursor', 'cursor is none of ours')])
  return after
}
