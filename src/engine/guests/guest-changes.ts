import { Injectable } from '@nestjs/common'
import { MAX_DISKS } from '../../wire/guests/intent.js'
import type { EventDraft } from '../events/events.service.js'
import { Quotas } from '../identity/quotas.js'
import type { Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { storageReadiness } from '../storage/storage-readiness.js'
import { Guest } from './guest.entity.js'
import { type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestPlacement } from './guest-placement.js'
import type { GuestUpdate } from './guest-update.dto.js'
import { GuestWorkflow } from './guest-workflow.js'
import { Volume } from './volume.entity.js'

/** Changes of a guest that was made, each under its lock; its host is told of the whole of it. */
@Injectable()
export class GuestChanges {
  constructor(
    private readonly workflow: GuestWorkflow,
    private readonly placement: GuestPlacement,
    private readonly quotas: Quotas,
  ) {}

  async update(tx: Tx, { guest }: WholeGuest, body: GuestUpdate): Promise<EventDraft[]> {
    const { vcpus = guest.vcpus, memoryMiB: memoryMib = guest.memoryMib } = body
    if (vcpus !== guest.vcpus || memoryMib !== guest.memoryMib) {
      if (guest.power !== 'STOPPED') throw new Conflict(`guest ${guest.name} is to be ${guest.power}: stop it first`)
      await this.resize(tx, guest, vcpus, memoryMib)
    }
    const { labels, stopGraceMs, restartPolicy } = body
    await tx.update(Guest, { id: guest.id }, { labels, stopGraceMs, restartPolicy, vcpus, memoryMib })
    return this.tell(tx, guest.id)
  }

  /** A volume that is on a connection which is up at the guest's host, and that nobody has. */
  async attach(tx: Tx, { guest, volumes }: WholeGuest, volumeId: string): Promise<EventDraft[]> {
    const volume = await tx.findOne(Volume, { where: { id: volumeId }, lock: { mode: 'pessimistic_write' } })
    if (!volume || volume.projectId !== guest.projectId) throw new NotFound(`volume ${volumeId}`)
    if (volume.guestId === guest.id) return []
    if (volume.guestId !== null)
      throw new Conflict(`volume ${volume.name} is a disk of guest ${volume.guestId}`, 'in-use', {
        users: [{ noun: 'guest', id: volume.guestId, name: volume.guestId }],
      })
    if (volume.provisioningStatus !== 'ACTIVE')
      throw new Conflict(`volume ${volume.name} is ${volume.provisioningStatus}`, 'conflict')
    if (volumes.length >= MAX_DISKS) throw new Conflict(`guest ${guest.name} has ${volumes.length} disks already`)
    const needs = { connectionIds: [volume.connectionId], projectIds: [guest.projectId] }
    const [readiness] = await storageReadiness(tx, [guest.hostId], needs)
    if (!readiness?.ready)
      throw new Conflict(`storage connection ${volume.connectionId} is not up on the host of ${guest.name}`)
    const position = Math.max(-1, ...volumes.map((disk) => disk.position ?? 0)) + 1
    await tx.update(
      Volume,
      { id: volumeId },
      { guestId: guest.id, hostId: guest.hostId, position, updatedAt: new Date() },
    )
    return this.tell(tx, guest.id)
  }

  /** What was made of the image stays; what is taken off outlives the guest. */
  async detach(tx: Tx, { guest, volumes }: WholeGuest, volumeId: string): Promise<EventDraft[]> {
    const volume = volumes.find(({ id }) => id === volumeId)
    if (!volume) throw new NotFound(`disk ${volumeId} of guest ${guest.name}`)
    if (volume.imageId !== null) throw new Conflict(`volume ${volume.name} is what guest ${guest.name} starts from`)
    const free = { guestId: null, position: null, goesWithGuest: false, updatedAt: new Date() }
    await tx.update(Volume, { id: volumeId }, free)
    return this.tell(tx, guest.id)
  }

  private async resize(tx: Tx, guest: Guest, vcpus: number, memoryMib: number): Promise<void> {
    const more = { vcpus: Math.max(0, vcpus - guest.vcpus), memoryMiB: Math.max(0, memoryMib - guest.memoryMib) }
    await this.quotas.claim(tx, guest.projectId, more)
    await this.placement.resize(tx, guest, { vcpus, memoryMib })
  }

  private async tell(tx: Tx, id: string): Promise<EventDraft[]> {
    const [whole] = await wholeGuests(tx, [id])
    if (!whole) return []
    const { guest } = whole
    const next = { ...guest, generation: guest.generation + 1, provisioningStatus: 'PENDING_UPDATE' as const }
    return this.workflow.enter(tx, [{ whole: { ...whole, guest: next }, step: 'power' }])
  }
}
