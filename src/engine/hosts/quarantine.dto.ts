import { Filter, PageQuery } from '../platform/pages.js'
import type { Quarantined } from './quarantined.entity.js'

const reasons = ['unknown', 'newer', 'host'] as const
const states = ['held', 'released', 'dismissed', 'removed'] as const

export class QuarantineQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Things on this host.' }) hostId?: string[]
  @Filter({ enum: reasons, description: 'Things for one of these reasons.' }) reason?: Quarantined['reason'][]
  @Filter({ enum: states, description: 'Things in one of these states.' }) state?: Quarantined['state'][]
}

export class QuarantinedView {
  /** @example 5f0d8f1e-2c50-4b52-9a30-8b7a8d4a2b11 */
  id!: string
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /** @example storage-connection/FLOW101_a */
  subject!: string
  /** @example 4 */
  generation!: number
  /** `unknown`: there is no row; `newer`: the host holds a newer generation that says something else; `host`: its own, no fault. */
  reason!: 'unknown' | 'newer' | 'host'
  /**
   * As the host sees it.
   * @example UP
   */
  status!: string
  /** @example { "uri": "local:///srv/images" } */
  detail!: Record<string, unknown>
  state!: 'held' | 'released' | 'dismissed' | 'removed'
  /** @example 2026-01-31T12:00:00.000Z */
  foundAt!: string
  endedAt!: string | null
}

export const viewQuarantined = (q: Quarantined): QuarantinedView => ({
  id: q.id,
  hostId: q.hostId,
  subject: q.subject,
  generation: q.generation,
  reason: q.reason,
  status: q.status,
  detail: q.detail,
  state: q.state,
  foundAt: q.foundAt.toISOString(),
  endedAt: q.endedAt?.toISOString() ?? null,
})
