import { IsObject, Matches, ValidateIf } from 'class-validator'
import { HOST_NAME } from '../../wire/session.js'
import { Filter, PageQuery } from '../platform/pages.js'
import type { Host } from './host.entity.js'
import { type HostAction, type HostStatus, hostActions, hostStatuses } from './hosts.states.js'
import { IsLabels } from './labels.js'

export class HostCreate {
  /**
   * Letters, digits, '.', '_' and '-'; the name that its agent gives.
   * @example h1
   */
  @Matches(HOST_NAME)
  name!: string

  /**
   * Up to 64 labels, for selectors.
   * @example { "rack": "a1" }
   */
  @ValidateIf((host: HostCreate) => host.labels !== undefined)
  @IsObject()
  @IsLabels()
  labels?: Record<string, string>
}

export class HostUpdate {
  /**
   * Replaces all labels.
   * @example { "rack": "a2" }
   */
  @ValidateIf((host: HostUpdate) => host.labels !== undefined)
  @IsObject()
  @IsLabels()
  labels?: Record<string, string>
}

export class MaintenanceRequest {
  /**
   * Why, for the colleagues.
   * @example replacing a disk
   */
  @ValidateIf((request: MaintenanceRequest) => request.reason !== undefined)
  @Matches(/^[^\p{Cc}]{0,500}$/u)
  reason?: string
}

export class HostQuery extends PageQuery {
  @Filter({ description: 'Hosts of this name.' }) name?: string[]
  @Filter({ enum: hostStatuses, description: 'Hosts in one of these states.' }) status?: HostStatus[]
}

export class ToolView {
  /** @example mount */
  name!: string
  /**
   * Null where it is not installed.
   * @example 2.38.1
   */
  version!: string | null
}

export class LackView {
  /** @example storage:nfs */
  capability!: string
  /** @example the program mount.nfs is not installed (Debian: nfs-common) */
  message!: string
}

/** What the host's agent says about its machine. */
export class HostFactsView {
  /** @example h1.example.org */
  hostname!: string
  /** @example Debian GNU/Linux 12 (bookworm) */
  os!: string
  /** @example 6.1.0-28-cloud-amd64 */
  kernel!: string
  /** @example x64 */
  arch!: string
  /** @example 8 */
  cpus!: number
  /** @example AMD EPYC 7763 */
  cpuModel!: string
  /** @example 34359738368 */
  memoryBytes!: number
  tools!: ToolView[]
  /** What it cannot do, and what stands in the way; older agents do not say. */
  lacks?: LackView[]
}

export class HostView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  id!: string
  /** @example h1 */
  name!: string
  /** @example { "rack": "a1" } */
  labels!: Record<string, string>
  status!: HostStatus
  /**
   * Why it is in this state, where there is something to say.
   * @example its connection broke
   */
  statusReason!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  statusSince!: string
  /** Whether its agent has a session. */
  connected!: boolean
  /** @example 0.1.0 */
  agentVersion!: string | null
  /** What it can do with the tools it has. */
  capabilities!: string[]
  /** The command kinds that its agent carries out. */
  kinds!: string[]
  facts!: HostFactsView | null
  /** What may be asked of it now. */
  actions!: HostAction[]
  /**
   * Of the intent: what the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
}

export function viewHost(host: Host): HostView {
  return {
    id: host.id,
    name: host.name,
    labels: host.labels,
    status: host.status,
    statusReason: host.statusReason,
    statusSince: host.statusSince.toISOString(),
    connected: host.connected,
    agentVersion: host.agentVersion,
    capabilities: host.capabilities,
    kinds: host.kinds,
    facts: host.facts,
    actions: hostActions(host),
    generation: host.generation,
    createdAt: host.createdAt.toISOString(),
  }
}
