import type { AgentPort, GuestPower, GuestStatus, RestartPolicy, VolumeFormat } from '../../wire/guests/terms.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import { FaultView, viewFault } from '../storage/storage-connection.dto.js'
import type { WholeGuest } from './guest-parts.js'
import { allowedActions, type GuestAction, type GuestStep } from './guests.states.js'

export class GuestDiskView {
  /** @example 6b5a4c3d-2e1f-4a0b-9c8d-7e6f5a4b3c2d */
  volumeId!: string
  /** @example storage:7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  connectionId!: string
  /** @example 10240 */
  sizeMiB!: number
  format!: VolumeFormat
  provisioningStatus!: ProvisioningStatus
  /** It outlives the guest. */
  keep!: boolean
}

export class GuestNicView {
  /** @example 5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f */
  networkId!: string
  /** @example 192.0.2.20 */
  address!: string
  /** @example 52:54:00:12:34:56 */
  mac!: string
}

export class GuestView {
  /** @example 4d3c2b1a-0f9e-4d8c-8b7a-6f5e4d3c2b1a */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example web-1 */
  name!: string
  /** @example { "app": "shop" } */
  labels!: Record<string, string>
  /** @example 2f1b0c9d-8e7f-4a6b-9c5d-4e3f2a1b0c9d */
  imageId!: string
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /** @example 2 */
  vcpus!: number
  /** @example 2048 */
  memoryMiB!: number
  disks!: GuestDiskView[]
  nics!: GuestNicView[]
  /** @example ["ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJ5 somebody"] */
  sshKeys!: string[]
  restartPolicy!: RestartPolicy
  /** @example 300000 */
  bootTimeoutMs!: number
  /** @example 600000 */
  prepareTimeoutMs!: number
  /** @example 60000 */
  stopGraceMs!: number
  /** As it is wanted to be. */
  power!: GuestPower
  provisioningStatus!: ProvisioningStatus
  /** What is being done, or what failed; null: nothing is. */
  step!: GuestStep | null
  /** As it is seen to be. */
  operatingStatus!: GuestStatus
  /** Whether the agent in it has its end of the channel open. */
  agentPort!: AgentPort
  /**
   * Of the boot that it is in.
   * @example 8f7e6d5c-4b3a-4291-8f7e-6d5c4b3a2918
   */
  bootId!: string | null
  /** When it answered last. */
  lastPongAt!: string | null
  /** Starts that its restart policy has made since it was asked to run. */
  restarts!: number
  /** Of the step that failed: its `type` is the layer to blame. */
  fault!: FaultView | null
  /** What is seen to be wrong with it. */
  lastError!: FaultView | null
  /** The end of what it had written to its console when it failed. */
  consoleTail!: string | null
  /** What may be asked of it now. */
  actions!: GuestAction[]
  /**
   * Of the intent: what the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22 */
  commandId!: string | null
  /** When it was ACTIVE for the first time. */
  activeAt!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewGuest = ({ guest, volumes, nics }: WholeGuest): GuestView => ({
  id: guest.id,
  projectId: guest.projectId,
  name: guest.name,
  labels: { ...guest.labels },
  imageId: guest.imageId,
  hostId: guest.hostId,
  vcpus: guest.vcpus,
  memoryMiB: guest.memoryMib,
  disks: volumes.map(({ id, connectionId, sizeMib, format, provisioningStatus, goesWithGuest }) => {
    return { volumeId: id, connectionId, sizeMiB: sizeMib, format, provisioningStatus, keep: !goesWithGuest }
  }),
  nics: nics.map(({ networkId, address, mac }) => ({ networkId, address, mac })),
  sshKeys: guest.sshKeys,
  restartPolicy: guest.restartPolicy,
  bootTimeoutMs: guest.bootTimeoutMs,
  prepareTimeoutMs: guest.prepareTimeoutMs,
  stopGraceMs: guest.stopGraceMs,
  power: guest.power,
  provisioningStatus: guest.provisioningStatus,
  step: guest.step,
  operatingStatus: guest.operatingStatus,
  agentPort: guest.agentPort,
  bootId: guest.bootId,
  lastPongAt: guest.pongAt?.toISOString() ?? null,
  restarts: guest.restarts,
  fault: viewFault(guest.fault, guest.faultAt),
  lastError: viewFault(guest.observedFault, guest.observedAt),
  consoleTail: guest.consoleTail,
  actions: allowedActions(guest),
  generation: guest.generation,
  commandId: guest.commandId,
  activeAt: guest.activeAt?.toISOString() ?? null,
  createdAt: guest.createdAt.toISOString(),
  updatedAt: guest.updatedAt.toISOString(),
})
