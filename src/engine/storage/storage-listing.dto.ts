import { OmitType } from '@nestjs/swagger'
import { PageOf } from '../platform/pages.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import type { OwnStorageConnection } from './own-storage-connection.entity.js'
import { StorageConnectionView, viewFault, viewStorageConnection } from './storage-connection.dto.js'
import type { StorageConnection } from './storage-connection.entity.js'

export const origins = ['plane', 'host'] as const
export type StorageOrigin = (typeof origins)[number]

/** What a host has connected, whoever asked for it: of what the plane did not ask for, there is nothing that it does. */
export class ListedStorageConnectionView extends OmitType(StorageConnectionView, ['projectId', 'provisioningStatus']) {
  /**
   * Some id holds it, and its host keeps it up. What no id holds is only shown, under an id that lasts as long as it does.
   * @example true
   */
  managed!: boolean
  /** Who asked for it: the plane, or a program on the host; null: nobody that is known. Ids of each are a namespace of their own. */
  origin!: StorageOrigin | null
  /**
   * Null: not of a project, but of the host.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  projectId!: string | null
  /** Null: the plane has no say in it. */
  provisioningStatus!: ProvisioningStatus | null
  /**
   * Where an unmanaged one is mounted on its host.
   * @example /mnt/export
   */
  mountPoint!: string | null
}

export class ListedStorageConnectionPage extends PageOf(ListedStorageConnectionView) {
  /**
   * How many unmanaged connections the host has beside those that are listed: it tells of 1,000. On pages that reach what the host
   * has without the plane; 0 on others.
   * @example 0
   */
  untold!: number
}

/** Adds to the view instead of spreading it, which took longer than all the rest of a row. */
export const listedOfPlane = (row: StorageConnection): ListedStorageConnectionView =>
  Object.assign(viewStorageConnection(row), { managed: true, origin: 'plane' as const, mountPoint: null })

export const listedOfHost = (row: OwnStorageConnection): ListedStorageConnectionView => ({
  hostId: row.hostId,
  connectionId: row.connectionId,
  projectId: null,
  uri: row.uri,
  options: row.options,
  credentialNames: [],
  storageId: null,
  target: row.target,
  targetId: row.targetId,
  provisioningStatus: null,
  operatingStatus: row.operatingStatus,
  connected: row.operatingStatus === 'UP' || row.operatingStatus === 'DEGRADED',
  fault: null,
  lastError: viewFault(row.observedFault, row.observedAt),
  commandId: null,
  actions: [],
  generation: 0,
  connectedSince: null,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
  managed: row.managed,
  origin: row.managed ? 'host' : null,
  mountPoint: row.mountPoint,
})
