import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import { storageConnectionId } from './connection-errors.js'
import type { Storage } from './storage.entity.js'
import { FaultView } from './storage-connection.dto.js'
import type { StorageRefusal } from './storage-refusal.entity.js'
import { operatingOf, provisioningOf, type StorageTotals } from './storages.states.js'

export class StorageSelectorView {
  /**
   * Null: no host by its labels.
   * @example { "rack": "a1" }
   */
  labels!: Record<string, string> | null
  /** @example [] */
  hostIds!: string[]
  /** @example [] */
  exceptHostIds!: string[]
}

/** How many hosts are in each state. A state that none is in is not there. */
export class StorageHostsView {
  /**
   * That have a connection for it.
   * @example 3
   */
  total!: number
  /**
   * That match and could not be given one, or its change.
   * @example 0
   */
  refused!: number
  /** @example { "ACTIVE": 3 } */
  provisioning!: Record<string, number>
  /** @example { "UP": 3 } */
  operating!: Record<string, number>
}

export class StorageRefusalView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  fault!: FaultView
}

export type StorageAction = 'put' | 'delete'

export class StorageView {
  /** @example 7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example images */
  name!: string
  /** @example posix:///srv/disk.img?fstype=ext4 */
  uri!: string
  /** @example { "ro": "true" } */
  options!: Record<string, string>
  /**
   * Names of the credentials that are held for it.
   * @example ["chapPassword"]
   */
  credentialNames!: string[]
  selector!: StorageSelectorView
  /**
   * The id of its connection on each host.
   * @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77
   */
  connectionId!: string
  /** ACTIVE only when it is on every host that matches; PENDING_DELETE until the last host has let go. */
  provisioningStatus!: ProvisioningStatus
  /** What all hosts see; DEGRADED where only some are connected, DOWN where none is. */
  operatingStatus!: StorageOperatingStatus
  hosts!: StorageHostsView
  /** The first 50 of the hosts that match and could not be given it as it is wanted. They are tried again. */
  refusals!: StorageRefusalView[]
  /** What may be asked of it now. */
  actions!: StorageAction[]
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

/** A storage with what its view needs of its hosts. */
export interface ShownStorage {
  readonly storage: Storage
  readonly totals: StorageTotals
  readonly refusals: readonly StorageRefusal[]
}

export function viewStorage({ storage, totals, refusals }: ShownStorage): StorageView {
  return {
    id: storage.id,
    projectId: storage.projectId,
    name: storage.name,
    uri: storage.uri,
    options: storage.options,
    credentialNames: storage.credentialNames,
    selector: {
      labels: storage.selector.labels,
      hostIds: [...storage.selector.hostIds],
      exceptHostIds: [...storage.selector.exceptHostIds],
    },
    connectionId: storageConnectionId(storage.id),
    provisioningStatus: provisioningOf(storage, totals),
    operatingStatus: operatingOf(totals),
    hosts: {
      total: Object.values(totals.provisioning).reduce((sum, count) => sum + count, 0),
      refused: totals.refused,
      provisioning: totals.provisioning,
      operating: totals.operating,
    },
    refusals: refusals.map(({ hostId, fault, refusedAt }) => ({
      hostId,
      fault: { type: fault.type, message: fault.message, number: fault.number, at: refusedAt.toISOString() },
    })),
    actions: storage.deleting ? [] : ['put', 'delete'],
    generation: storage.generation,
    createdAt: storage.createdAt.toISOString(),
    updatedAt: storage.updatedAt.toISOString(),
  }
}
