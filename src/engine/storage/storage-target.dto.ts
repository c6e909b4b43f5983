import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsOptional, IsString, MaxLength } from 'class-validator'
import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'

export class StorageTargetQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Targets that these hosts hold.' }) hostId?: string[]
  @Filter({ description: 'Targets of these schemes.' }) scheme?: string[]
  @Filter({ enum: storageOperatingStatuses, description: 'Targets that some connection sees so.' })
  operatingStatus?: StorageOperatingStatus[]

  @ApiPropertyOptional({ maxLength: 2048, description: 'This target, as hosts spell it.' })
  @IsOptional()
  @IsString()
  @MaxLength(2048)
  target?: string
}

export class TargetPageQuery extends PageQuery {}

export class StorageTargetView {
  /** @example XohImNooBHFR0OVvjcYpJ3 */
  targetId!: string
  /**
   * Equal for every spelling. One without a server in it is its host's own.
   * @example posix:///srv/disk.img?fstype=ext4
   */
  target!: string
  /** @example posix */
  scheme!: string
  /** What all connections see; DEGRADED where only some are up, DOWN where none is. */
  operatingStatus!: StorageOperatingStatus
  /**
   * How many connections see what. A state that none sees is not there.
   * @example { "UP": 12 }
   */
  operating!: Record<string, number>
  /**
   * Of those that the caller sees.
   * @example 12
   */
  connections!: number
  /** @example 12 */
  hosts!: number
}

export type ReleaseBlock = 'held' | 'storage' | 'host-away' | 'under-way' | 'failed' | 'used'

export class ReleaseBlockView {
  @ApiProperty({ enum: ['failed', 'held', 'host-away', 'storage', 'under-way', 'used'], example: 'held' })
  type!: ReleaseBlock
  /** @example the id holds it: delete it */
  message!: string
}

export class StorageHolderView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /**
   * Null for a caller who may not see hosts.
   * @example h1
   */
  hostName!: string | null
  /** @example FLOW101_a */
  connectionId!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example null */
  storageId!: string | null
  @ApiProperty({ enum: [...provisioningStatuses], example: 'ACTIVE' })
  provisioningStatus!: ProvisioningStatus
  @ApiProperty({ enum: [...storageOperatingStatuses], example: 'UP' })
  operatingStatus!: StorageOperatingStatus
  /**
   * Since when the host holds this target under the id.
   * @example 2026-01-31T12:00:00.000Z
   */
  since!: string
  /** @example 2026-01-31T12:00:01.000Z */
  connectedSince!: string | null
  /** What stands between now and its release: all that has to happen first. */
  blockedBy!: ReleaseBlockView[]
}

export class StorageHoldersView {
  /** @example XohImNooBHFR0OVvjcYpJ3 */
  targetId!: string
  /** @example posix:///srv/disk.img?fstype=ext4 */
  target!: string
  @ApiProperty({ type: [StorageHolderView] })
  items!: StorageHolderView[]
  /**
   * Cursor of the next page; null on the last.
   * @example null
   */
  next!: string | null
  /**
   * Ids of projects that the caller does not see.
   * @example 0
   */
  others!: number
}

export class StruckHostView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /**
   * Null for a caller who may not see hosts.
   * @example h1
   */
  hostName!: string | null
  /**
   * How many connections see what. A state that none sees is not there.
   * @example { "UP": 12 }
   */
  operating!: Record<string, number>
  /**
   * The first 50 of them.
   * @example ["FLOW101_a"]
   */
  connectionIds!: string[]
}

export class TargetUserView {
  /** @example guest */
  noun!: string
  /** @example 9c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  id!: string
  /** @example db1 */
  name!: string
}

export class BlastRadiusView {
  /** @example XohImNooBHFR0OVvjcYpJ3 */
  targetId!: string
  /** @example posix:///srv/disk.img?fstype=ext4 */
  target!: string
  operatingStatus!: StorageOperatingStatus
  /**
   * How many connections see what. A state that none sees is not there.
   * @example { "UP": 12 }
   */
  operating!: Record<string, number>
  /** @example 12 */
  connections!: number
  /** @example 12 */
  hosts!: number
  /**
   * Connections of projects that the caller does not see.
   * @example 0
   */
  others!: number
  /** The hosts that hold it. */
  @ApiProperty({ type: [StruckHostView] })
  items!: StruckHostView[]
  /**
   * Cursor of the next page; null on the last.
   * @example null
   */
  next!: string | null
  /** What lives on it, the first 50; for callers who see the whole plane. */
  @ApiProperty({ type: [TargetUserView], example: [] })
  users!: TargetUserView[]
}
