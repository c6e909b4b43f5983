import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { snapshotSubject } from '../../wire/guests/kinds.js'
import { Commands } from '../commands/commands.service.js'
import { type Caller, requireInProject } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { volumePlace } from './guest-intent.js'
import { lockGuests, type WholeGuest, wholeGuests } from './guest-parts.js'
import type { SnapshotCreate, SnapshotQuery } from './guest-snapshot.dto.js'
import { GuestSnapshot } from './guest-snapshot.entity.js'
import { Guests, requireAllowed } from './guests.service.js'

const listing: Listing<GuestSnapshot> = {
  entity: GuestSnapshot,
  sortable: ['name', 'createdAt'],
  defaultSort: '-createdAt',
}

const UNIQUE_VIOLATION = '23505'
const MOST = 100

/** The disks of guests as they were, each of all disks at one moment. */
@Injectable()
export class GuestSnapshots {
  constructor(
    private readonly database: Database,
    private readonly guests: Guests,
    private readonly commands: Commands,
  ) {}

  async list(caller: Caller, guestId: string, query: SnapshotQuery): Promise<Page<GuestSnapshot>> {
    await this.guests.require(caller, guestId)
    return page(this.database.dataSource.manager, listing, query, (rows) => {
      rows.andWhere('row.guestId = :guestId', { guestId })
    })
  }

  async require(caller: Caller, guestId: string, id: string): Promise<GuestSnapshot> {
    await this.guests.require(caller, guestId)
    const found = await this.database.dataSource.manager.findOneBy(GuestSnapshot, { id, guestId })
    if (!found) throw new NotFound(`snapshot ${id}`)
    return found
  }

  async take(caller: Caller, guestId: string, { name, quiesce = true }: SnapshotCreate): Promise<GuestSnapshot> {
    try {
      return await this.change(caller, guestId, async (tx, whole) => {
        const { guest, volumes, image } = whole
        requireAllowed(guest, 'snapshot')
        if ((await tx.countBy(GuestSnapshot, { guestId })) >= MOST)
          throw new Conflict(`guest ${guest.name} has ${MOST} snapshots already`)
        const raw = volumes.find(({ format }) => format === 'raw')
        if (raw) throw new Conflict(`volume ${raw.name} is raw, and no snapshot can be taken of it`)
        if (volumes.length === 0) throw new Conflict(`guest ${guest.name} has no disks`)
        const [id, commandId] = [randomUUID(), randomUUID()]
        const places = volumes.map(volumePlace)
        await tx.insert(GuestSnapshot, {
          ...{ id, guestId, projectId: guest.projectId, name, volumes: places, commandId },
          provisioningStatus: 'PENDING_CREATE',
        })
        await this.commands.enqueue(tx, {
          id: commandId,
          kind: 'guests.snapshot',
          hostId: guest.hostId,
          projectId: guest.projectId,
          subject: snapshotSubject(id),
          generation: 1,
          payload: { guestId, snapshotId: id, volumes: places, quiesce: quiesce && image.hasAgent },
        })
        return tx.findOneByOrFail(GuestSnapshot, { id })
      })
    } catch (error) {
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error
      throw new Conflict(`a snapshot of the guest is called ${name} already`, 'name-taken')
    }
  }

  /** Asked for twice is one. */
  async delete(caller: Caller, guestId: string, id: string): Promise<GuestSnapshot> {
    await this.require(caller, guestId, id)
    return this.change(caller, guestId, async (tx, { guest }) => {
      const row = await tx.findOne(GuestSnapshot, { where: { id, guestId }, lock: { mode: 'pessimistic_write' } })
      if (!row) throw new NotFound(`snapshot ${id}`)
      if (row.provisioningStatus === 'PENDING_DELETE') return row
      if (row.provisioningStatus === 'PENDING_CREATE')
        throw new Conflict(`snapshot ${row.name} is being taken: wait`, 'pending')
      await requireUncopied(tx, row)
      const [commandId, generation] = [randomUUID(), row.generation + 1]
      await tx.update(GuestSnapshot, { id }, { commandId, generation, provisioningStatus: 'PENDING_DELETE' })
      await this.commands.enqueue(tx, {
        id: commandId,
        kind: 'guests.removeSnapshot',
        hostId: guest.hostId,
        projectId: guest.projectId,
        subject: snapshotSubject(id),
        generation,
        payload: { guestId, snapshotId: id, volumes: [...row.volumes] },
      })
      return tx.findOneByOrFail(GuestSnapshot, { id })
    })
  }

  private async change<T>(
    caller: Caller,
    guestId: string,
    work: (tx: Tx, whole: WholeGuest) => Promise<T>,
  ): Promise<T> {
    const { guest } = await this.guests.require(caller, guestId)
    requireInProject(caller, guest.projectId, 'operator', `guest ${guestId}`)
    return this.database.transaction(async (tx) => {
      await lockGuests(tx, [guestId])
      const [whole] = await wholeGuests(tx, [guestId])
      if (!whole) throw new NotFound(`guest ${guestId}`)
      return work(tx, whole)
    })
  }
}

/** U4: what is being copied from it has to be there first. */
async function requireUncopied(tx: Tx, { id, name }: GuestSnapshot): Promise<void> {
  const users: { id: string; name: string }[] = await tx.query(
    `SELECT id, name FROM volumes WHERE snapshot_origin ->> 'snapshotId' = $1 AND provisioning_status = 'PENDING_CREATE'
     ORDER BY id LIMIT 50`,
    [id],
  )
  if (users.length === 0) return
  throw new Conflict(`snapshot ${name} is being copied`, 'in-use', {
    users: users.map((user) => ({ noun: 'volume', ...user })),
  })
}
