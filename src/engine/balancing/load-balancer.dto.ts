import { Type } from 'class-transformer'
import { ArrayMaxSize, IsArray, IsIn, IsIP, IsOptional, IsUUID, ValidateNested } from 'class-validator'
import { MAX_LISTENERS, MAX_POOLS } from '../../wire/balancing/intent.js'
import { type Provider, providers } from '../../wire/balancing/providers.js'
import { Filter } from '../platform/pages.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'
import { FaultView, viewFault } from '../storage/storage-connection.dto.js'
import { IsLine } from './balancing-input.js'
import { BalancingQuery, DescribedInput, DescribedView, type IdView, idViews } from './balancing-part.dto.js'
import type { LoadBalancerChange } from './edits/load-balancers.js'
import { TreeListener } from './listener.dto.js'
import type { LoadBalancer } from './load-balancer.entity.js'
import { TreePool } from './pool.dto.js'
import type { Tree } from './tree.js'

/** What is left out stays; null: its default. */
export class LoadBalancerUpdate extends DescribedInput implements LoadBalancerChange {}

export class LoadBalancerCreate extends DescribedInput {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @IsOptional()
  @IsUUID()
  projectId?: string | null

  /**
   * The network that its address is of.
   * @example 5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f
   */
  @IsUUID()
  vipNetworkId!: string

  /**
   * Its address there; left out: one that is free.
   * @example 192.0.2.110
   */
  @IsOptional()
  @IsIP()
  vipAddress?: string | null

  /** What makes it; left out: as its flavor says, else what some host has. */
  @IsOptional()
  @IsIn(providers)
  provider?: Provider | null

  /** @example null */
  @IsOptional()
  @IsUUID()
  flavorId?: string | null

  /** @example null */
  @IsOptional()
  @IsLine(255, 1)
  availabilityZone?: string | null

  /** With all under them. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_LISTENERS)
  @ValidateNested({ each: true })
  @Type(() => TreeListener)
  listeners?: TreeListener[] | null

  /** Each with a name of its own: listeners and L7 policies lead to them by it. */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(MAX_POOLS)
  @ValidateNested({ each: true })
  @Type(() => TreePool)
  pools?: TreePool[] | null
}

export class LoadBalancerDelete {
  /** With all that stands under it. */
  @IsOptional()
  @Type(() => String)
  @IsIn(['true', 'false'])
  cascade?: 'true' | 'false'
}

export class LoadBalancerQuery extends BalancingQuery {
  @Filter({ format: 'uuid', description: 'Those with an address of these networks.' }) networkId?: string[]
  @Filter({ description: 'Those with these addresses.' }) vipAddress?: string[]
  @Filter({ enum: providers, description: 'Those of these providers.' }) provider?: Provider[]
  @Filter({ format: 'uuid', description: 'Those on these hosts.' }) hostId?: string[]
}

export type LoadBalancerAction = 'update' | 'delete' | 'reset'

export class LoadBalancerView extends DescribedView {
  /** @example 5c8f1e2d-3b4a-4c5d-8e6f-7a8b9c0d1e2f */
  vipNetworkId!: string
  /** @example 192.0.2.110 */
  vipAddress!: string
  /** @example 7d8e9f0a-1b2c-4d3e-8f4a-5b6c7d8e9f0a */
  vipPortId!: string
  provider!: Provider
  /** @example null */
  flavorId!: string | null
  /** @example null */
  availabilityZone!: string | null
  /**
   * The host whose agent is in charge of it.
   * @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11
   */
  hostId!: string
  listeners!: IdView[]
  pools!: IdView[]
  /** Why the last change failed. */
  fault!: FaultView | null
  /** What is seen to be wrong with it. */
  lastError!: FaultView | null
  /** What may be asked of it now. */
  actions!: LoadBalancerAction[]
  /**
   * Of the intent: what the ETag shows, and the generation that holds the change that this answers.
   * @example 3
   */
  generation!: number
  /**
   * The last generation that its device had in force; null: none yet.
   * @example 3
   */
  goodGeneration!: number | null
  /**
   * The command of the last change.
   * @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22
   */
  commandId!: string | null
}

const actionsFrom: Readonly<Record<ProvisioningStatus, readonly LoadBalancerAction[]>> = {
  PENDING_CREATE: ['delete'],
  PENDING_UPDATE: ['delete'],
  PENDING_DELETE: [],
  ACTIVE: ['update', 'delete'],
  ERROR: ['update', 'delete', 'reset'],
  DELETED: [],
}

/** Columns that neither face shows. */
export type UnshownColumn =
  | 'deviceId'
  | 'placementGeneration'
  | 'movingFromDeviceId'
  | 'intentDigest'
  | 'observedGeneration'
  | 'statistics'

export interface ShownBalancer<R = Omit<LoadBalancer, UnshownColumn>> {
  readonly row: R
  readonly listenerIds: readonly string[]
  readonly poolIds: readonly string[]
}

export const shownBalancer = ({ loadBalancer, listeners, pools }: Tree): ShownBalancer => ({
  row: loadBalancer,
  listenerIds: listeners.map(({ id }) => id),
  poolIds: pools.map(({ id }) => id),
})

export const viewLoadBalancer = ({ row, listenerIds, poolIds }: ShownBalancer): LoadBalancerView => ({
  id: row.id,
  projectId: row.projectId,
  name: row.name,
  description: row.description,
  adminStateUp: row.adminStateUp,
  tags: row.tags,
  vipNetworkId: row.networkId,
  vipAddress: row.vipAddress,
  vipPortId: row.vipPortId,
  provider: row.provider,
  flavorId: row.flavorId,
  availabilityZone: row.availabilityZone,
  hostId: row.hostId,
  provisioningStatus: row.provisioningStatus,
  operatingStatus: row.operatingStatus,
  statusReason: row.fault?.message ?? row.observedFault?.message ?? null,
  listeners: idViews(listenerIds),
  pools: idViews(poolIds),
  fault: viewFault(row.fault, row.faultAt),
  lastError: viewFault(row.observedFault, row.observedAt),
  actions: [...actionsFrom[row.provisioningStatus]],
  generation: row.generation,
  goodGeneration: row.goodGeneration,
  commandId: row.commandId,
  createdAt: row.createdAt.toISOString(),
  updatedAt: row.updatedAt.toISOString(),
})
