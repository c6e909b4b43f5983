import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { volumeSubject } from '../../wire/guests/kinds.js'
import { Commands } from '../commands/commands.service.js'
import { Events } from '../events/events.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, Invalid, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { inProjectsOf, type Page, page } from '../platform/pages.js'
import { isPending } from '../platform/provisioning.js'
import { volumeIntent } from './guest-intent.js'
import { GuestRemoval } from './guest-removal.js'
import { type VolumeCreate, type VolumeQuery, volumeActions } from './volume.dto.js'
import { Volume } from './volume.entity.js'
import { volumeEvent } from './volume.events.js'

const listing: Listing<Volume> = {
  entity: Volume,
  sortable: ['name', 'createdAt'],
  defaultSort: '-createdAt',
  filterable: ['projectId', 'name', 'connectionId', 'guestId', 'provisioningStatus'],
}

/** Volumes that are made by themselves; those of guests are made, and go, with them. */
@Injectable()
export class Volumes {
  constructor(
    private readonly database: Database,
    private readonly commands: Commands,
    private readonly removal: GuestRemoval,
    private readonly events: Events,
  ) {}

  list(caller: Caller, query: VolumeQuery): Promise<Page<Volume>> {
    return page(this.database.dataSource.manager, listing, query, inProjectsOf(caller))
  }

  async require(caller: Caller, id: string): Promise<Volume> {
    const found = await this.database.dataSource.manager.findOneBy(Volume, { id })
    if (!found) throw new NotFound(`volume ${id}`)
    requireInProject(caller, found.projectId, 'viewer', `volume ${id}`)
    return found
  }

  async create(caller: Caller, body: VolumeCreate): Promise<Volume> {
    const projectId = chosenProject(caller, body.projectId)
    if (!projectId) throw projectMissing()
    const { name, connectionId, sizeMiB, format = 'qcow2' } = body
    return this.database.transaction(async (tx) => {
      const hostId = await hostWith(tx, projectId, connectionId)
      const id = randomUUID()
      await tx.insert(Volume, {
        ...{ id, projectId, name, connectionId, hostId, format, sizeMib: sizeMiB },
        provisioningStatus: 'PENDING_CREATE',
      })
      return this.ensure(tx, await tx.findOneByOrFail(Volume, { id }))
    })
  }

  async grow(caller: Caller, id: string, sizeMiB: number, ifMatch: IfMatch | null): Promise<Volume> {
    return this.change(caller, id, ifMatch, async (tx, row) => {
      requireAction(row, 'update')
      if (sizeMiB < row.sizeMib)
        throw new Invalid('a volume never shrinks', [{ field: 'sizeMiB', message: `must be at least ${row.sizeMib}` }])
      const generation = row.generation + 1
      await tx.update(
        Volume,
        { id },
        { sizeMib: sizeMiB, generation, provisioningStatus: 'PENDING_UPDATE', updatedAt: new Date() },
      )
      return this.ensure(tx, await tx.findOneByOrFail(Volume, { id }))
    })
  }

  /** Asked for twice is one. */
  async delete(caller: Caller, id: string, ifMatch: IfMatch | null): Promise<Volume> {
    return this.change(caller, id, ifMatch, async (tx, row) => {
      requireAction(row, 'delete')
      if (row.provisioningStatus === 'PENDING_DELETE') return row
      await this.removal.removeVolumes(tx, [row])
      return (await tx.findOneBy(Volume, { id })) ?? row
    })
  }

  /** What it was made of is there: the host that knows it grows it where it is. */
  private async ensure(tx: Tx, row: Volume): Promise<Volume> {
    const { hostId } = row
    if (hostId === null) throw new Conflict(`volume ${row.name} has no host that could do it`, 'no-room')
    const commandId = await this.commands.enqueue(tx, {
      kind: 'guests.ensureVolume',
      hostId,
      projectId: row.projectId,
      subject: volumeSubject(row.id),
      generation: row.generation,
      payload: { volume: volumeIntent(row, null) },
    })
    await tx.update(Volume, { id: row.id }, { commandId })
    await this.events.append(tx, [volumeEvent('guests.volume.requested', row)])
    return { ...row, commandId }
  }

  private async change(
    caller: Caller,
    id: string,
    ifMatch: IfMatch | null,
    work: (tx: Tx, row: Volume) => Promise<Volume>,
  ): Promise<Volume> {
    const { projectId } = await this.require(caller, id)
    requireInProject(caller, projectId, 'operator', `volume ${id}`)
    return this.database.transaction(async (tx) => {
      const row = await tx.findOne(Volume, { where: { id }, lock: { mode: 'pessimistic_write' } })
      if (!row) throw new NotFound(`volume ${id}`)
      requireMatch(ifMatch, row.generation)
      return work(tx, row)
    })
  }
}

function requireAction(row: Volume, action: 'update' | 'delete'): void {
  const allowed = volumeActions(row)
  if (allowed.includes(action)) return
  if (row.guestId !== null) {
    const users = [{ noun: 'guest', id: row.guestId, name: row.guestId }]
    throw new Conflict(`volume ${row.name} is a disk of guest ${row.guestId}`, 'in-use', { users })
  }
  const type = isPending(row.provisioningStatus) ? 'pending' : 'conflict'
  throw new Conflict(`volume ${row.name} is ${row.provisioningStatus}`, type, { allowed })
}

/** One in service that can make volumes, and on which the connection is seen up (S12). */
async function hostWith(tx: Tx, projectId: string, connectionId: string): Promise<string> {
  const [row]: { id: string }[] = await tx.query(
    `SELECT h.id FROM hosts h JOIN storage_connections s ON s.host_id = h.id
     WHERE s.connection_id = $1 AND s.project_id = $2 AND s.provisioning_status = 'ACTIVE' AND s.operating_status IN ('UP', 'DEGRADED')
       AND h.status = 'Up' AND 'guests.ensureVolume' = ANY(h.kinds)
       AND EXISTS (SELECT FROM unnest(h.capabilities) AS c(name) WHERE c.name LIKE 'hypervisor:%')
     ORDER BY h.name LIMIT 1`,
    [connectionId, projectId],
  )
  if (!row) throw new Conflict(`storage connection ${connectionId} is up on no host that could make it`, 'no-room')
  return row.id
}
