import { IsString, IsUUID, Length, ValidateIf } from 'class-validator'
import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { IsOptions } from './options.js'
import type { StorageConnection } from './storage-connection.entity.js'

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
  /** @example 2026-01-31T12:00:00.000Z */
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
   * The actual target, equal for every spelling of it; null until the host answered.
   * @example posix:/srv/disk.img?fstype=ext4
   */
  target!: string | null
  provisioningStatus!: ProvisioningStatus
  operatingStatus!: StorageOperatingStatus
  /** UP or DEGRADED. */
  connected!: boolean
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

export function viewStorageConnection(row: StorageConnection): StorageConnectionView {
  return {
    hostId: row.hostId,
    connectionId: row.connectionId,
    projectId: row.projectId,
    uri: row.uri,
    options: row.options,
    target: row.target,
    provisioningStatus: row.provisioningStatus,
    operatingStatus: row.operatingStatus,
    connected: row.operatingStatus === 'UP' || row.operatingStatus === 'DEGRADED',
    fault: viewFault(row.fault, row.faultAt),
    lastError: viewFault(row.observedFault, row.observedAt),
    commandId: row.commandId,
    actions: actions[row.provisioningStatus],
    generation: row.generation,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  }
}

export const viewFault = (fault: StorageConnection['fault'], at: Date | null): FaultView | null =>
  fault ? { type: fault.type, message: fault.message, number: fault.number, at: at?.toISOString() ?? null } : null
