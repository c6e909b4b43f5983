import { IsBoolean } from 'class-validator'
import type { VolumePlace } from '../../wire/guests/intent.js'
import type { VolumeFormat } from '../../wire/guests/terms.js'
import { IsLine } from '../balancing/balancing-input.js'
import { MayBeLeftOut } from '../platform/left-out.js'
import { PageQuery } from '../platform/pages.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import { FaultView, viewFault } from '../storage/storage-connection.dto.js'
import type { GuestSnapshot } from './guest-snapshot.entity.js'

export class SnapshotCreate {
  /**
   * Unique among the snapshots of its guest.
   * @example before-upgrade
   */
  @IsLine(128, 1)
  name!: string

  /** Whether file systems in the guest are to be frozen meanwhile, if its agent can. Left out: true. */
  @MayBeLeftOut()
  @IsBoolean()
  quiesce?: boolean
}

export class SnapshotQuery extends PageQuery {}

export class SnapshotDiskView {
  /** @example 6b5a4c3d-2e1f-4a0b-9c8d-7e6f5a4b3c2d */
  volumeId!: string
  /** @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  connectionId!: string
  format!: VolumeFormat
}

export class SnapshotView {
  /** @example 3c2d1e0f-9a8b-4c7d-8e6f-5a4b3c2d1e0f */
  id!: string
  /** @example 4d3c2b1a-0f9e-4d8c-8b7a-6f5e4d3c2b1a */
  guestId!: string
  /** @example before-upgrade */
  name!: string
  disks!: SnapshotDiskView[]
  /** Whether the file systems in the guest were frozen meanwhile; null: it was not taken yet. */
  quiesced!: boolean | null
  provisioningStatus!: ProvisioningStatus
  fault!: FaultView | null
  /** @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  commandId!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewSnapshot = (row: GuestSnapshot): SnapshotView => ({
  id: row.id,
  guestId: row.guestId,
  name: row.name,
  disks: row.volumes.map(diskOf),
  quiesced: row.quiesced,
  provisioningStatus: row.provisioningStatus,
  fault: viewFault(row.fault, row.faultAt),
  commandId: row.commandId,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})

const diskOf = ({ id, connectionId, format }: VolumePlace): SnapshotDiskView => ({ volumeId: id, connectionId, format })
