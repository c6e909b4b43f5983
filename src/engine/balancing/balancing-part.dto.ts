import { ArrayMaxSize, IsArray, IsBoolean, IsOptional, Matches } from 'class-validator'
import { type BalancingStatus, balancingStatuses } from '../../wire/balancing/terms.js'
import { Filter, PageQuery } from '../platform/pages.js'
import { type ProvisioningStatus, provisioningStatuses } from '../platform/provisioning.js'
import { IsLine } from './balancing-input.js'
import type { PartOfBalancer } from './balancing-part.js'
import type { LoadBalancer } from './load-balancer.entity.js'

/** What is left out stays, or is its default in what is made; null: its default. */
export abstract class DescribedInput {
  /** @example web */
  @IsOptional()
  @IsLine(255)
  name?: string | null

  /** @example What customers reach */
  @IsOptional()
  @Matches(/^[^\0]{0,255}$/u, { message: '$property must have up to 255 characters' })
  description?: string | null

  /**
   * Whether it takes part; true by default.
   * @example true
   */
  @IsOptional()
  @IsBoolean()
  adminStateUp?: boolean | null

  /** @example ["production"] */
  @IsOptional()
  @IsArray()
  @ArrayMaxSize(100)
  @IsLine(255, 1, { each: true })
  tags?: string[] | null
}

export abstract class BalancingQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Those of these projects.' }) projectId?: string[]
  @Filter({ description: 'Those of these names.' }) name?: string[]
  @Filter({ enum: provisioningStatuses, description: 'What is being done.' }) provisioningStatus?: ProvisioningStatus[]
  @Filter({ enum: balancingStatuses, description: 'What is seen.' }) operatingStatus?: BalancingStatus[]
  @Filter({ description: 'Those with all of these tags.' }) tags?: string[]
  @Filter({ description: 'Those with any of these tags.' }) tagsAny?: string[]
}

export abstract class PartQuery extends BalancingQuery {
  @Filter({ format: 'uuid', description: 'Those of these load balancers.' }) loadBalancerId?: string[]
}

export class IdView {
  /** @example 9d2c4b6a-8e0f-4a1b-9c3d-5e7f8a9b0c1d */
  id!: string
}

export const idViews = (ids: readonly string[]): IdView[] => ids.map((id) => ({ id }))

export type PartAction = 'update' | 'delete'

/** What a load balancer and all under it show alike. */
export abstract class DescribedView {
  /** @example 9d2c4b6a-8e0f-4a1b-9c3d-5e7f8a9b0c1d */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example web */
  name!: string
  /** @example What customers reach */
  description!: string
  /** @example true */
  adminStateUp!: boolean
  /** @example ["production"] */
  tags!: string[]
  provisioningStatus!: ProvisioningStatus
  operatingStatus!: BalancingStatus
  /**
   * Why it is ERROR, in the words of what makes it.
   * @example null
   */
  statusReason!: string | null
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

/** What stands under a load balancer is changed with it. */
export abstract class PartView extends DescribedView {
  /** @example 3f1d6a52-70a9-4d35-9f0e-1b2c3d4e5f60 */
  loadBalancerId!: string
  /** What may be asked of it now. */
  actions!: PartAction[]
  /**
   * Of the load balancer: what the ETag shows, and the generation that holds the change that this answers.
   * @example 3
   */
  generation!: number
  /**
   * The command of the last change of the load balancer.
   * @example 7c1f6f0a-6b2c-4c0e-9a4e-2a9a4f3f1d22
   */
  commandId!: string | null
}

/** Of the load balancer, what its parts show. */
export type Above = Pick<LoadBalancer, 'generation' | 'provisioningStatus' | 'commandId' | 'fault'>

/** A part as it is shown: with what it shows of the balancer, and of other rows. */
export interface ShownPart<R, K = unknown> {
  readonly row: R
  readonly above: Above
  readonly kin: K
}

/** Changes wait for the balancer; a delete does so too, for the balancer stays. */
const partActions: Readonly<Record<ProvisioningStatus, readonly PartAction[]>> = {
  PENDING_CREATE: [],
  PENDING_UPDATE: [],
  PENDING_DELETE: [],
  ACTIVE: ['update', 'delete'],
  ERROR: ['update', 'delete'],
  DELETED: [],
}

export function viewPart(row: PartOfBalancer & { readonly loadBalancerId: string }, above: Above) {
  const leaves = row.provisioningStatus === 'PENDING_DELETE' || row.provisioningStatus === 'DELETED'
  return {
    id: row.id,
    projectId: row.projectId,
    loadBalancerId: row.loadBalancerId,
    name: row.name,
    description: row.description,
    adminStateUp: row.adminStateUp,
    tags: row.tags,
    provisioningStatus: row.provisioningStatus,
    operatingStatus: row.operatingStatus,
    statusReason: row.provisioningStatus === 'ERROR' ? (above.fault?.message ?? null) : null,
    actions: leaves ? [] : [...partActions[above.provisioningStatus]],
    generation: above.generation,
    commandId: above.commandId,
    createdAt: row.createdAt.toISOString(),
    updatedAt: row.updatedAt.toISOString(),
  } satisfies PartView
}
