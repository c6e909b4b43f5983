import { IsIn, IsInt, IsUUID, Matches, Max, Min } from 'class-validator'
import { MAX_SIZE_MIB } from '../../wire/guests/intent.js'
import { type VolumeFormat, volumeFormats } from '../../wire/guests/terms.js'
import { CONNECTION_ID } from '../../wire/storage/connection-id.js'
import { IsLine } from '../balancing/balancing-input.js'
import { MayBeLeftOut } from '../platform/left-out.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { FaultView, viewFault } from '../storage/storage-connection.dto.js'
import type { Volume } from './volume.entity.js'

export class VolumeCreate {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @MayBeLeftOut()
  @IsUUID()
  projectId?: string

  /** @example data */
  @IsLine(128, 1)
  name!: string

  /**
   * The storage connection that it is to be on.
   * @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77
   */
  @Matches(CONNECTION_ID)
  connectionId!: string

  /** @example 10240 */
  @IsInt()
  @Min(1)
  @Max(MAX_SIZE_MIB)
  sizeMiB!: number

  /** Left out: qcow2. */
  @MayBeLeftOut()
  @IsIn(volumeFormats)
  format?: VolumeFormat
}

export class VolumeUpdate {
  /**
   * Never less than it is.
   * @example 20480
   */
  @IsInt()
  @Min(1)
  @Max(MAX_SIZE_MIB)
  sizeMiB!: number
}

export class VolumeQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Volumes of these projects.' }) projectId?: string[]
  @Filter({ description: 'Volumes of these names.' }) name?: string[]
  @Filter({ description: 'Volumes on these storage connections.' }) connectionId?: string[]
  @Filter({ format: 'uuid', description: 'Disks of these guests.' }) guestId?: string[]
  @Filter({ enum: provisioningStatuses, description: 'In one of these.' }) provisioningStatus?: ProvisioningStatus[]
}

export type VolumeAction = 'update' | 'delete'

export class VolumeView {
  /** @example 6b5a4c3d-2e1f-4a0b-9c8d-7e6f5a4b3c2d */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example data */
  name!: string
  /** @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  connectionId!: string
  /**
   * Whose agent makes, grows and removes it.
   * @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11
   */
  hostId!: string | null
  format!: VolumeFormat
  /** @example 10240 */
  sizeMiB!: number
  /** The image that it was made of. */
  imageId!: string | null
  /** The guest that it is a disk of. */
  guestId!: string | null
  /** It is removed with its guest. */
  goesWithGuest!: boolean
  provisioningStatus!: ProvisioningStatus
  fault!: FaultView | null
  /** What may be asked of it now. */
  actions!: VolumeAction[]
  /**
   * Of the intent: what the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  commandId!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewVolume = (row: Volume): VolumeView => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  connectionId: row.connectionId,
  hostId: row.hostId,
  format: row.format,
  sizeMiB: row.sizeMib,
  imageId: row.imageId,
  guestId: row.guestId,
  goesWithGuest: row.goesWithGuest,
  provisioningStatus: row.provisioningStatus,
  fault: viewFault(row.fault, row.faultAt),
  actions: volumeActions(row),
  generation: row.generation,
  commandId: row.commandId,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})

/** One that is a guest's goes, and grows, with it alone. */
export function volumeActions({ provisioningStatus, guestId }: Volume): VolumeAction[] {
  if (guestId !== null) return []
  return provisioningStatus === 'ACTIVE' ? ['update', 'delete'] : ['delete']
}
