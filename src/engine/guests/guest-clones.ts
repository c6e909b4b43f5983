import { Injectable } from '@nestjs/common'
import type { SnapshotOrigin } from '../../wire/guests/intent.js'
import type { Tx } from '../platform/database.js'
import { type FieldFault, Invalid } from '../platform/errors.js'
import type { GuestDiskInput } from './guest.dto.js'
import { GuestSnapshot } from './guest-snapshot.entity.js'

export type DiskAsked = GuestDiskInput & {
  readonly snapshotOrigin: SnapshotOrigin | null
  readonly provisioningStatus: 'PENDING_CREATE'
}

/** Disks that begin as copies of others. */
@Injectable()
export class GuestClones {
  /** @throws Invalid for what is no snapshot of the project, has not been taken, or has not that disk */
  async originsOf(tx: Tx, projectId: string, disks: readonly GuestDiskInput[]): Promise<DiskAsked[]> {
    const faults: FieldFault[] = []
    const asked: DiskAsked[] = []
    for (const [i, disk] of disks.entries()) {
      const found = disk.snapshot ? await originOf(tx, projectId, disk.snapshot) : null
      if (typeof found === 'string') faults.push({ field: `disks.${i}.snapshot`, message: found })
      else asked.push({ ...disk, snapshotOrigin: found, provisioningStatus: 'PENDING_CREATE' })
    }
    if (faults.length > 0) throw new Invalid('the guest cannot be made as it is asked for', faults)
    return asked
  }
}

async function originOf(
  tx: Tx,
  projectId: string,
  { snapshotId, volumeId }: NonNullable<GuestDiskInput['snapshot']>,
): Promise<SnapshotOrigin | string> {
  // it stays until the row that names it is there
  const snapshot = await tx.findOne(GuestSnapshot, { where: { id: snapshotId }, lock: { mode: 'for_key_share' } })
  if (!snapshot || snapshot.projectId !== projectId) return 'is no snapshot of the project'
  if (snapshot.provisioningStatus !== 'ACTIVE') return `is ${snapshot.provisioningStatus}`
  const volume = snapshot.volumes.find(({ id }) => id === volumeId)
  if (!volume) return `has no disk ${volumeId}`
  return { volumeId, connectionId: volume.connectionId, format: volume.format, snapshotId }
}
