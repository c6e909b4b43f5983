import { randomBytes, randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import { Events } from '../events/events.service.js'
import { chosenProject, projectMissing } from '../identity/chosen-project.js'
import { Quotas } from '../identity/quotas.js'
import { NetworkAddresses } from '../networks/network-addresses.service.js'
import type { Caller } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, type FieldFault, Invalid, Unavailable } from '../platform/errors.js'
import { Turnstile } from '../platform/turnstile.js'
import type { GuestCreate } from './guest.dto.js'
import { GUEST_NOUN, Guest } from './guest.entity.js'
import { guestEvent } from './guest.events.js'
import { type DiskAsked, GuestClones } from './guest-clones.js'
import { connectionsOf } from './guest-intent.js'
import { GuestMessage } from './guest-message.entity.js'
import { GuestNic } from './guest-nic.entity.js'
import { type WholeGuest, wholeGuests } from './guest-parts.js'
import { GuestPlacement } from './guest-placement.js'
import { GuestSecrets, summaryOf } from './guest-secrets.js'
import { taskOf } from './guest-task.dto.js'
import { GuestWorkflow } from './guest-workflow.js'
import type { Image } from './image.entity.js'
import { Images } from './images.service.js'
import { Volume } from './volume.entity.js'

const UNIQUE_VIOLATION = '23505'
const BOOT_MS = 300_000
const PREPARE_MS = 600_000
const STOP_MS = 60_000
/**
 * Creations wait for each other where they want the same host: the others wait without a connection, of which the pool has
 * few, and everybody needs one.
 */
const AT_ONCE = 4
const MAX_WAITING = 1_000

/** New guests: the row, its place, its addresses, its queue and the first command stand or fall together. */
@Injectable()
export class GuestCreation {
  private readonly turnstile = new Turnstile(AT_ONCE, MAX_WAITING)

  constructor(
    private readonly database: Database,
    private readonly images: Images,
    private readonly clones: GuestClones,
    private readonly quotas: Quotas,
    private readonly placement: GuestPlacement,
    private readonly addresses: NetworkAddresses,
    private readonly secrets: GuestSecrets,
    private readonly workflow: GuestWorkflow,
    private readonly events: Events,
  ) {}

  /** @throws Unavailable where too many wait */
  async create(caller: Caller, body: GuestCreate): Promise<WholeGuest> {
    const projectId = chosenProject(caller, body.projectId)
    if (!projectId) throw projectMissing()
    const make = () => this.database.transaction((tx) => this.within(tx, caller, projectId, body))
    try {
      // who has a connection already, and keeps others waiting by it, goes first
      if (this.database.isOpen) return await make()
      if (this.turnstile.full) throw new Unavailable('too many guests wait to be made')
      return await this.turnstile.pass(make)
    } catch (error) {
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error
      throw new Conflict(`a guest of the project is called ${body.name} already`, 'name-taken')
    }
  }

  private async within(tx: Tx, caller: Caller, projectId: string, body: GuestCreate): Promise<WholeGuest> {
    const image = await this.images.require(caller, body.imageId, tx)
    requireFitting(image, projectId, body)
    const { vcpus, memoryMiB } = body
    await this.quotas.claim(tx, projectId, { guests: 1, vcpus, memoryMiB })
    const id = randomUUID()
    const disks = await this.clones.originsOf(tx, projectId, body.disks ?? [])
    const asked = {
      guestId: id,
      projectId,
      vcpus,
      memoryMib: memoryMiB,
      labels: body.labels ?? {},
      hints: body.placement ?? {},
      connectionIds: connectionsOf(image, disks),
    }
    const hostId = await this.placement.choose(tx, asked)
    await tx.insert(Guest, this.rowOf(id, projectId, hostId, body))
    await this.placement.claimed(tx, hostId, asked)
    await this.insertVolumes(tx, { id, projectId, hostId, name: body.name }, image, disks)
    await this.insertNics(tx, id, projectId, body)
    await this.insertPrepare(tx, id, projectId, body)
    const [whole] = await wholeGuests(tx, [id])
    if (!whole) throw new Error(`guest ${id} cannot be read`)
    const drafts = await this.workflow.enter(tx, [{ whole, step: 'storage' }])
    await this.events.append(tx, [guestEvent('guests.guest.requested', whole.guest), ...drafts])
    const [made] = await wholeGuests(tx, [id])
    return made ?? whole
  }

  private rowOf(id: string, projectId: string, hostId: string, body: GuestCreate) {
    const { name, labels = {}, imageId, vcpus, memoryMiB, sshKeys = [], userData, placement } = body
    return {
      ...{ id, projectId, hostId, name, labels, imageId, vcpus, memoryMib: memoryMiB, sshKeys },
      sealedUserData: this.secrets.sealUserData(id, userData ?? null),
      placement: { ...placement },
      restartPolicy: body.restartPolicy ?? 'on-crash',
      bootTimeoutMs: body.bootTimeoutMs ?? BOOT_MS,
      prepareTimeoutMs: body.prepareTimeoutMs ?? PREPARE_MS,
      stopGraceMs: body.stopGraceMs ?? STOP_MS,
      provisioningStatus: 'PENDING_CREATE' as const,
    }
  }

  private async insertVolumes(
    tx: Tx,
    { id, projectId, hostId, name }: Pick<Guest, 'id' | 'projectId' | 'hostId' | 'name'>,
    image: Image,
    disks: readonly DiskAsked[],
  ): Promise<void> {
    const ofImage = image.format === 'kernel' ? null : image.id
    for (const [position, disk] of disks.entries()) {
      const { connectionId, sizeMiB, format = 'qcow2', keep = false, snapshotOrigin } = disk
      await tx.insert(Volume, {
        ...{ id: randomUUID(), projectId, hostId, connectionId, format, position, guestId: id },
        name: `${name}-${position}`,
        sizeMib: sizeMiB,
        imageId: position === 0 ? ofImage : null,
        snapshotOrigin,
        goesWithGuest: !keep,
        provisioningStatus: 'PENDING_CREATE',
      })
    }
  }

  private async insertNics(tx: Tx, guestId: string, projectId: string, { nics = [] }: GuestCreate): Promise<void> {
    for (const [position, { networkId, address }] of nics.entries()) {
      const holder = { noun: GUEST_NOUN, id: guestId }
      const claimed = await this.addresses.claim(tx, { networkId, address: address ?? null, holder, projectId })
      await tx.insert(GuestNic, {
        ...{ id: randomUUID(), guestId, position, networkId: claimed.network.id, address: claimed.address },
        mac: newMac(),
      })
    }
  }

  /** Its queue is made with it (G1). */
  private async insertPrepare(tx: Tx, guestId: string, projectId: string, body: GuestCreate): Promise<void> {
    if (!body.prepare) return
    const [id, task] = [randomUUID(), taskOf(body.prepare)]
    await tx.insert(GuestMessage, {
      ...{ id, guestId, projectId, build: 1, kind: 'prepare' as const },
      summary: summaryOf(task),
      sealedTask: this.secrets.sealTask(id, task),
      runTimeoutMs: body.prepareTimeoutMs ?? PREPARE_MS,
    })
  }
}

/** QEMU's own prefix. */
const newMac = (): string =>
  `52:54:00${[...randomBytes(3)].map((byte) => `:${byte.toString(16).padStart(2, '0')}`).join('')}`

/** L1: what cannot be is refused before anything is stored. */
function requireFitting(image: Image, projectId: string, { disks = [], prepare, nics = [] }: GuestCreate): void {
  const faults: FieldFault[] = []
  const [first] = disks
  if (image.projectId !== projectId) faults.push({ field: 'imageId', message: 'is an image of another project' })
  if (image.format !== 'kernel') {
    if (!first) faults.push({ field: 'disks', message: 'an image needs a disk to be on' })
    else if (first.sizeMiB < image.minDiskMib)
      faults.push({ field: 'disks.0.sizeMiB', message: `the image needs at least ${image.minDiskMib}` })
    if (first?.keep) faults.push({ field: 'disks.0.keep', message: 'what is made of the image goes with the guest' })
  }
  if (prepare && !image.hasAgent) faults.push({ field: 'prepare', message: 'the image carries no guest agent' })
  if (new Set(nics.map(({ networkId }) => networkId)).size < nics.length)
    faults.push({ field: 'nics', message: 'two are on one network' })
  if (faults.length > 0) throw new Invalid('the guest cannot be made as it is asked for', faults)
}
