import { Filter, PageQuery } from '../platform/pages.js'
import type { Tombstone } from './tombstone.entity.js'

const states = ['waiting', 'confirmed', 'forgotten'] as const

export class TombstoneQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Tombstones of this host.' }) hostId?: string[]
  @Filter({ enum: states, description: 'Tombstones in one of these states.' }) state?: Tombstone['state'][]
}

export class TombstoneView {
  /** @example 5f0d8f1e-2c50-4b52-9a30-8b7a8d4a2b11 */
  id!: string
  /** @example 0b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f11 */
  hostId!: string
  /**
   * What is to go: noun and key on its host.
   * @example storage-connection/FLOW101_a
   */
  subject!: string
  /** @example 4 */
  generation!: number
  state!: 'waiting' | 'confirmed' | 'forgotten'
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** When the host confirmed or an administrator forgot it. */
  endedAt!: string | null
}

export const viewTombstone = (t: Tombstone): TombstoneView => ({
  id: t.id,
  hostId: t.hostId,
  subject: t.subject,
  generation: t.generation,
  state: t.state,
  createdAt: t.createdAt.toISOString(),
  endedAt: t.endedAt?.toISOString() ?? null,
})
