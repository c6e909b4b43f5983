import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { Type } from 'class-transformer'
import {
  IsIn,
  IsInt,
  IsISO8601,
  IsOptional,
  IsString,
  IsUUID,
  Length,
  Matches,
  Max,
  MaxLength,
  Min,
  ValidateIf,
} from 'class-validator'
import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { FaultsTell } from '../platform/validation.js'
import { BAD_ARGUMENTS } from './connection-errors.js'
import { MAX_WAIT_MS, type WaitGoal, waitGoals } from './connection-goals.js'
import { IsCredentials } from './credentials.js'
import { IsOptions } from './options.js'
import type { StorageConnection } from './storage-connection.entity.js'

/** As an id begins. */
const ID_PREFIX = /^[^/\p{Cc}]{1,255}$/u
const ID_PREFIX_MESSAGE = "$property must have 1 to 255 characters without '/' and control characters"

@FaultsTell({ number: BAD_ARGUMENTS })
export class StorageConnectionPut {
  /**
   * `nfs://server/export`, `iscsi://host/iqn.2026-01.org.example:disk;portal=1`, `glusterfs://server/volume`, `ceph://monitor/path`,
   * `posix:///dev/sdb1?fstype=ext4`, `posix://server/path?fstype=nfs` or `local:///directory`. The query may hold options too.
   * @example posix:///srv/disk.img?fstype=ext4
   */
  @IsString()
  @Length(1, 2048)
  uri!: string

  /**
   * Options of the scheme's driver, each a text.
   * @example { "ro": "true" }
   */
  @ValidateIf((connection: StorageConnectionPut) => connection.options !== undefined)
  @IsOptions()
  options?: Record<string, string>

  /**
   * Secrets of the scheme's driver. They are sealed, sent to the host and never shown; left out, those that are held stay; `{}`
   * takes them away. Others than those that are held need If-Match.
   * @example { "chapPassword": "correct horse battery staple" }
   */
  @ApiPropertyOptional({ writeOnly: true })
  @ValidateIf((connection: StorageConnectionPut) => connection.credentials !== undefined)
  @IsCredentials()
  credentials?: Record<string, string>

  /**
   * The project that a new one is to belong to, for good. Left out: the default project if the caller is an operator there, or the
   * only one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @ValidateIf((connection: StorageConnectionPut) => connection.projectId !== undefined)
  @IsUUID()
  projectId?: string
}

export class StorageConnectionQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Connections of these projects.' }) projectId?: string[]
  @Filter({ description: 'Connections of these ids.' }) connectionId?: string[]
  @Filter({ enum: storageOperatingStatuses, description: 'What is seen.' }) operatingStatus?: StorageOperatingStatus[]
  @Filter({ enum: provisioningStatuses, description: 'What is being done.' }) provisioningStatus?: ProvisioningStatus[]
  @Filter({ enum: ['true', 'false'], description: '`false`: what the host has connected and no id holds.' })
  managed?: ('true' | 'false')[]
  @Filter({ enum: ['plane', 'host'], description: 'Who asked for it: the plane, or a program on the host.' })
  origin?: ('plane' | 'host')[]
  @Filter({ format: 'uuid', description: 'Connections that are there for these storages.' }) storageId?: string[]
  @Filter({ description: 'Connections to these targets, by their ids.' }) targetId?: string[]
  @Filter({ description: 'Connections of URIs of these schemes.' }) scheme?: string[]
  @Filter({ enum: ['true', 'false'], description: 'Whether they are UP or DEGRADED.' }) connected?: string[]

  @ApiPropertyOptional({ maxLength: 2048, description: 'Connections to this target, as their hosts spell it.' })
  @IsOptional()
  @IsString()
  @MaxLength(2048)
  target?: string

  @ApiPropertyOptional({ maxLength: 255, description: 'Connections whose ids begin so: a flow.' })
  @IsOptional()
  @Matches(ID_PREFIX, { message: ID_PREFIX_MESSAGE })
  prefix?: string

  @ApiPropertyOptional({ format: 'date-time', description: 'Connections that came up at this time or later.' })
  @IsOptional()
  @IsISO8601({ strict: true, strictSeparator: true })
  connectedSince?: string
}

export class PlaneStorageConnectionQuery extends StorageConnectionQuery {
  @Filter({ format: 'uuid', description: 'Connections of these hosts.' }) hostId?: string[]
}

export class StorageConnectionGet {
  @ApiPropertyOptional({
    enum: [...waitGoals],
    description: 'Answer when it is up; `firstError`: or when there is an error to be told. Without it: at once.',
  })
  @IsOptional()
  @IsIn(waitGoals)
  waitFor?: WaitGoal

  @ApiPropertyOptional({
    description: 'How long to wait at most. It is then answered as it is.',
    type: 'integer',
    minimum: 1,
    maximum: MAX_WAIT_MS,
    default: 30_000,
  })
  @Type(() => Number)
  @IsInt()
  @Min(1)
  @Max(MAX_WAIT_MS)
  timeoutMs: number = 30_000
}

@FaultsTell({ number: BAD_ARGUMENTS })
export class StorageFlow {
  @ApiProperty({ minLength: 1, maxLength: 255, description: 'How the ids of the flow begin.', example: 'FLOW101_' })
  @Matches(ID_PREFIX, { message: ID_PREFIX_MESSAGE })
  prefix!: string
}

export class StorageFlowView {
  /** @example FLOW101_ */
  prefix!: string
  /**
   * Ids that are being let go from now on.
   * @example 40
   */
  lettingGo!: number
  /**
   * Ids that were being let go already.
   * @example 2
   */
  alreadyLeaving!: number
  /**
   * Ids that the caller sees and may not let go: as a viewer of their project, or as they are there for a storage.
   * @example 0
   */
  kept!: number
}

export class FaultView {
  /** @example mount-failed */
  type!: string
  /**
   * In the words of the host's tools.
   * @example mount: /srv/disk.img: wrong fs type, bad option, bad superblock
   */
  message!: string
  /**
   * VDSM's number, where there is one.
   * @example 477
   */
  number?: number
  /**
   * When the host saw it, by its own clock; when the plane heard of it, where the host did not say.
   * @example 2026-01-31T12:00:00.000Z
   */
  at!: string | null
}

export class StorageConnectionView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /** @example FLOW101_a */
  connectionId!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example posix:///srv/disk.img?fstype=ext4 */
  uri!: string
  /** @example { "ro": "true" } */
  options!: Record<string, string>
  /**
   * Names of the credentials that are held for it.
   * @example ["chapPassword"]
   */
  credentialNames!: string[]
  /**
   * The storage that it is there for; null: somebody asked for it on this host.
   * @example null
   */
  storageId!: string | null
  /**
   * The actual target, equal for every spelling of it; null until the host answered.
   * @example posix:/srv/disk.img?fstype=ext4
   */
  target!: string | null
  /**
   * Of the target, for `/api/v1/storage-targets`.
   * @example XohImNooBHFR0OVvjcYpJ3
   */
  targetId!: string | null
  provisioningStatus!: ProvisioningStatus
  operatingStatus!: StorageOperatingStatus
  /** UP or DEGRADED. */
  connected!: boolean
  /** @example 2026-01-31T12:00:00.000Z */
  connectedSince!: string | null
  /** Why it could not be taken on or let go. */
  fault!: FaultView | null
  /** Why it is not up. */
  lastError!: FaultView | null
  /**
   * The command of the last change.
   * @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22
   */
  commandId!: string | null
  /** What may be asked of it now. */
  actions!: StorageConnectionAction[]
  /**
   * Of the intent: what the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export type StorageConnectionAction = 'put' | 'delete' | 'reset'

const actions: Record<ProvisioningStatus, StorageConnectionAction[]> = {
  PENDING_CREATE: ['delete'],
  PENDING_UPDATE: ['delete'],
  PENDING_DELETE: [],
  ACTIVE: ['put', 'delete', 'reset'],
  ERROR: ['put', 'delete'],
  DELETED: [],
}

/** What is there for a storage is changed and deleted with it. */
const actionsOf = ({ provisioningStatus, storageId }: StorageConnection): StorageConnectionAction[] => {
  const all = actions[provisioningStatus]
  return storageId === null ? all : all.filter((action) => action === 'reset')
}

export function viewStorageConnection(row: StorageConnection): StorageConnectionView {
  return {
    hostId: row.hostId,
    connectionId: row.connectionId,
    projectId: row.projectId,
    uri: row.uri,
    options: row.options,
    credentialNames: row.credentialNames,
    storageId: row.storageId,
    target: row.target,
    targetId: row.targetId,
    provisioningStatus: row.provisioningStatus,
    operatingStatus: row.operatingStatus,
    connected: row.operatingStatus === 'UP' || row.operatingStatus === 'DEGRADED',
    connectedSince: row.connectedSince?.toISOString() ?? null,
    fault: viewFault(row.fault, row.faultAt),
    lastError: viewFault(row.observedFault, row.observedAt),
    commandId: row.commandId,
    actions: actionsOf(row),
    generation: row.generation,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

/** @param at where the host did not say when it was */
export const viewFault = (fault: StorageConnection['fault'], at: Date | null): FaultView | null =>
  fault && {
    type: fault.type,
    message: fault.message,
    number: fault.number,
    at: fault.at ?? at?.toISOString() ?? null,
  }
