import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { storageSubject } from '../../wire/commands.js'
import { Commands } from '../commands/commands.service.js'
import { Hosts } from '../hosts/hosts.service.js'
import { type Caller, includes, mayInPlane, visibleProjects } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { inUseBy, UsersOf } from '../platform/users-of.js'
import type { StorageFlowView } from './storage-connection.dto.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { eventOf, toldColumns } from './storage-connection.events.js'

const BATCH = 200

type Leaving = Pick<
  StorageConnection,
  'id' | 'hostId' | 'projectId' | 'connectionId' | 'generation' | 'provisioningStatus'
> & { readonly commandId: string }

/** Ids with a common prefix are one flow, and a flow is cleaned up in one call (S8). */
@Injectable()
export class StorageFlows {
  constructor(
    private readonly database: Database,
    private readonly hosts: Hosts,
    private readonly commands: Commands,
    private readonly users: UsersOf,
  ) {}

  /**
   * All ids of the flow that the caller may let go, a batch in each transaction: what was done stands when a later batch
   * fails, and the same call goes on from there. None of them goes while something is on one of them (U4).
   */
  async letGo(caller: Caller, hostId: string, prefix: string): Promise<StorageFlowView> {
    await this.hosts.require(hostId)
    const { leaving: alreadyLeaving, kept } = await this.look(caller, hostId, prefix)
    await this.database.transaction(async (tx) => {
      const going: { id: string }[] = await tx.query(`SELECT id ${GOING}`, [hostId, prefix, operableProjects(caller)])
      await this.requireUnused(tx, prefix, going)
    })
    let lettingGo = 0
    for (let batch = BATCH; batch === BATCH; lettingGo += batch) {
      batch = await this.database.transaction((tx) => this.letGoSome(tx, caller, hostId, prefix))
    }
    return { prefix, lettingGo, alreadyLeaving, kept }
  }

  private async look(
    caller: Caller,
    hostId: string,
    prefix: string,
  ): Promise<{ readonly leaving: number; readonly kept: number }> {
    const [row] = await this.database.query<{ leaving: number; kept: number }>(
      'storage_flow_look',
      `SELECT count(*) FILTER (WHERE provisioning_status = 'PENDING_DELETE')::int AS leaving,
         count(*) FILTER (WHERE provisioning_status <> 'PENDING_DELETE'
                          AND (storage_id IS NOT NULL OR NOT ($4::uuid[] IS NULL OR project_id = ANY($4))))::int AS kept
       FROM storage_connections
       WHERE host_id = $1 AND starts_with(connection_id, $2) AND ($3::uuid[] IS NULL OR project_id = ANY($3))`,
      [hostId, prefix, visibleProjects(caller), operableProjects(caller)],
    )
    return row ?? { leaving: 0, kept: 0 }
  }

  private async letGoSome(tx: Tx, caller: Caller, hostId: string, prefix: string): Promise<number> {
    const found = await lockSome(tx, hostId, prefix, operableProjects(caller))
    // what came to be in use since the look before
    await this.requireUnused(tx, prefix, found)
    const rows = await claim(tx, found)
    await raiseTombstones(tx, hostId, rows)
    const commands = rows.map((row) => ({
      id: row.commandId,
      kind: 'storage.unmanage' as const,
      hostId,
      projectId: row.projectId,
      subject: storageSubject(row.connectionId),
      generation: row.generation,
      payload: { connectionId: row.connectionId },
      events: [eventOf('storage.connection.unmanaging', row)],
    }))
    await this.commands.enqueueAll(tx, commands)
    return rows.length
  }

  private async requireUnused(tx: Tx, prefix: string, rows: readonly { readonly id: string }[]): Promise<void> {
    if (rows.length === 0) return
    const ids = rows.map(({ id }) => id)
    const users = await this.users.listAll(tx, 'storage-connection', ids)
    if (users.length > 0) throw inUseBy(`flow ${prefix}`, users)
  }
}

const GOING = `FROM storage_connections
     WHERE host_id = $1 AND starts_with(connection_id, $2) AND ($3::uuid[] IS NULL OR project_id = ANY($3))
       AND provisioning_status <> 'PENDING_DELETE' AND storage_id IS NULL`

/** Null: all. */
function operableProjects(caller: Caller): readonly string[] | null {
  if (mayInPlane(caller, 'operator')) return null
  return [...caller.projects].filter(([, role]) => includes(role, 'operator')).map(([id]) => id)
}

/** In the order of their ids, as everything does that locks many. */
const lockSome = (
  tx: Tx,
  hostId: string,
  prefix: string,
  projectIds: readonly string[] | null,
): Promise<{ readonly id: string }[]> =>
  tx.query(`SELECT id ${GOING} ORDER BY id LIMIT $4 FOR UPDATE`, [hostId, prefix, projectIds, BATCH])

async function claim(tx: Tx, found: readonly { readonly id: string }[]): Promise<Leaving[]> {
  if (found.length === 0) return []
  const [rows]: [Leaving[], number] = await tx.query(
    `UPDATE storage_connections s
     SET generation = s.generation + 1, command_id = c.command_id, provisioning_status = 'PENDING_DELETE', updated_at = now()
     FROM unnest($1::uuid[], $2::uuid[]) AS c(id, command_id)
     WHERE s.id = c.id RETURNING s.id, s.command_id AS "commandId", ${toldColumns('s')}`,
    [found.map(({ id }) => id), found.map(() => randomUUID())],
  )
  return rows
}

async function raiseTombstones(tx: Tx, hostId: string, rows: readonly Leaving[]): Promise<void> {
  await tx.query(
    `INSERT INTO tombstones (host_id, subject, generation)
     SELECT $1, t.subject, t.generation FROM unnest($2::text[], $3::int[]) AS t(subject, generation)
     ON CONFLICT (host_id, subject) DO UPDATE
       SET generation = greatest(tombstones.generation, EXCLUDED.generation), state = 'waiting', created_at = now(), ended_at = NULL`,
    [hostId, rows.map((row) => storageSubject(row.connectionId)), rows.map((row) => row.generation)],
  )
}
