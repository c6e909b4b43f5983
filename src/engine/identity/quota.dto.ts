import { applyDecorators } from '@nestjs/common'
import { ApiPropertyOptional } from '@nestjs/swagger'
import { IsInt, Max, Min, ValidateIf } from 'class-validator'
import type { Project } from './project.entity.js'
import { type Limits, type QuotaResource, quotaResources } from './quota-resources.js'
import type { Usage } from './quotas.js'

const MOST = 1_000_000_000

/** A whole number, or null for no limit. */
function Limit(): PropertyDecorator {
  return applyDecorators(
    ApiPropertyOptional({ minimum: 0, maximum: MOST }),
    ValidateIf((_, value: unknown) => value !== null && value !== undefined),
    IsInt(),
    Min(0),
    Max(MOST),
  )
}

/** What is left out, or null, has no limit. */
export class QuotasPut implements Partial<Record<QuotaResource, number | null>> {
  /** @example 50 */
  @Limit() guests?: number | null
  /** @example 200 */
  @Limit() vcpus?: number | null
  /** @example 409600 */
  @Limit() memoryMiB?: number | null
  /** @example 10 */
  @Limit() loadBalancers?: number | null
  /** @example 40 */
  @Limit() listeners?: number | null
  /** @example 400 */
  @Limit() members?: number | null
  /** @example 40 */
  @Limit() pools?: number | null
  /** @example 40 */
  @Limit() healthMonitors?: number | null
  /** @example 100 */
  @Limit() l7Policies?: number | null
  /** @example 500 */
  @Limit() l7Rules?: number | null
  /** @example 100 */
  @Limit() connections?: number | null
}

export class QuotaView {
  /**
   * Null: none.
   * @example 100
   */
  limit!: number | null
  /**
   * What is being deleted is counted until its host has confirmed.
   * @example 42
   */
  used!: number
}

export class QuotasView implements Record<QuotaResource, QuotaView> {
  /** @example 3e1f0c52-8a4b-4d0e-9b7a-6f1d2c3b4a59 */
  projectId!: string
  guests!: QuotaView
  vcpus!: QuotaView
  memoryMiB!: QuotaView
  loadBalancers!: QuotaView
  listeners!: QuotaView
  members!: QuotaView
  pools!: QuotaView
  healthMonitors!: QuotaView
  l7Policies!: QuotaView
  l7Rules!: QuotaView
  /** Storage connections. */
  connections!: QuotaView
  /**
   * Of the limits: what the ETag shows.
   * @example 1
   */
  generation!: number
}

export function limitsOf(body: QuotasPut): Limits {
  const given = quotaResources.map((resource) => [resource, body[resource]] as const)
  return Object.fromEntries(given.filter(([, limit]) => limit != null))
}

export function viewQuotas({ project, usage }: { readonly project: Project; readonly usage: Usage }): QuotasView {
  const quotas = quotaResources.map((resource) => [
    resource,
    { limit: project.limits[resource] ?? null, used: usage[resource] },
  ])
  return {
    projectId: project.id,
    // every resource is in the table
    ...(Object.fromEntries(quotas) as Record<QuotaResource, QuotaView>),
    generation: project.limitsGeneration,
  }
}
