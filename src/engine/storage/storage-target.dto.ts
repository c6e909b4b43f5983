import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { IsOptional, IsString, MaxLength } from 'class-validator'
import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { FaultView } from './storage-connection.dto.js'
import { origins, type StorageOrigin } from './storage-listing.dto.js'

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

const releaseBlockTypes = [
  'disconnecting',
  'failed',
  'held',
  'held-on-host',
  'host-away',
  'preexisting',
  'storage',
  'under-way',
  'unmanaged',
  'used',
] as const

export class ReleaseBlockView {
  /**
   * `held-on-host`: by a program there; `disconnecting`: the last id has gone, and the disconnect has not come about; `unmanaged`: no
   * id holds it, nor did one; `preexisting`: it was connected before its first id, and is never disconnected.
   */
  @ApiProperty({ enum: [...releaseBlockTypes], example: 'held' })
  type!: (typeof releaseBlockTypes)[number]
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
  /** Who asked for it: the plane, or a program on the host; null: no id holds it, and it is there all the same. */
  @ApiProperty({ type: String, enum: [...origins, null], nullable: true, example: 'plane' })
  origin!: StorageOrigin | null
  /**
   * Null: not of a project, but of the host.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  projectId!: string | null
  /** @example null */
  storageId!: string | null
  /** Null: the plane has no say in it. */
  @ApiProperty({ type: String, enum: [...provisioningStatuses, null], nullable: true, example: 'ACTIVE' })
  provisioningStatus!: ProvisioningStatus | null
  @ApiProperty({ enum: [...storageOperatingStatuses], example: 'UP' })
  operatingStatus!: StorageOperatingStatus
  /**
   * Since when the host holds this target under the id; of what is the host's own, since it was told.
   * @example 2026-01-31T12:00:00.000Z
   */
  since!: string
  /** @example 2026-01-31T12:00:01.000Z */
  connectedSince!: string | null
  /** Why it is not up, or not gone. */
  lastError!: FaultView | null
  /** What stands between now and the release of the target there: all that has to happen first, or that it never will be. */
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
   * That the caller does not see: ids of other projects, and what hosts have of themselves.
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
   * The first 50 of the plane's ids.
   * @example ["FLOW101_a"]
   */
  connectionIds!: string[]
  /**
   * The first 50 of the ids of programs on the host.
   * @example []
   */
  ownConnectionIds!: string[]
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
   * That the caller does not see: connections of other projects, and what hosts have of themselves.
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
