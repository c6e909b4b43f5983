import { ApiProperty } from '@nestjs/swagger'
import { type StorageOperatingStatus, storageOperatingStatuses } from '../../wire/commands.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { FaultView, viewFault } from './storage-connection.dto.js'
import { type HostStorageReadiness, type Lack, lacks } from './storage-readiness.js'

export class StorageReadinessQuery extends PageQuery {
  @Filter({ description: 'The ids that must all be up.' }) connectionId?: string[]
  @Filter({ format: 'uuid', description: 'Storages that must all be up.' }) storageId?: string[]
  @Filter({ format: 'uuid', description: 'Of these hosts. Left out: of all.' }) hostId?: string[]
  @Filter({ enum: ['true', 'false'], description: 'Hosts on which all is up, or not.' }) ready?: string[]
}

export class LackingConnectionView {
  /** @example FLOW101_a */
  connectionId!: string
  /**
   * `missing`: nothing of the caller's has the id there; `pending`: the host has not taken it on yet; `leaving`: it is being let
   * go; `failed`: the host could not take it on; `host-away`: the host has no session; `down`: it is not up.
   */
  @ApiProperty({ enum: [...lacks], example: 'down' })
  reason!: Lack
  @ApiProperty({ type: String, enum: [...storageOperatingStatuses, null], nullable: true, example: 'DOWN' })
  operatingStatus!: StorageOperatingStatus | null
  fault!: FaultView | null
}

export class HostReadinessView {
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  ready!: boolean
  /** What is not up there. */
  @ApiProperty({ type: [LackingConnectionView] })
  lacking!: LackingConnectionView[]
}

export const viewReadiness = ({ hostId, ready, lacking }: HostStorageReadiness): HostReadinessView => ({
  hostId,
  ready,
  lacking: lacking.map(({ fault, ...lack }) => ({
    ...lack,
    fault: viewFault(fault, null),
  })),
})
