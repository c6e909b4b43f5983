import { PageQuery } from '../platform/pages.js'
import type { Schedule } from '../platform/schedule.entity.js'
import type { ScheduleSpec } from '../platform/schedules.js'

export class ScheduleQuery extends PageQuery {}

export class ScheduleView {
  /** @example commands.expire */
  name!: string
  /**
   * What it does; empty when this replica does not know it.
   * @example Ends commands that are past their deadline.
   */
  meaning!: string
  /** @example 1000 */
  everyMs!: number | null
  /** @example 2026-01-31T12:00:00.000Z */
  nextRunAt!: string
  /** The replica whose turn is under way. */
  runningOn!: string | null
  lastStartedAt!: string | null
  /** @example 3 */
  lastDurationMs!: number | null
  lastOutcome!: 'succeeded' | 'failed' | null
  lastError!: string | null
}

export const viewSchedule = (row: Schedule, spec: ScheduleSpec | undefined): ScheduleView => ({
  name: row.name,
  meaning: spec?.meaning ?? '',
  everyMs: spec?.everyMs ?? null,
  nextRunAt: row.nextRunAt.toISOString(),
  runningOn: row.leaseUntil ? row.leasedBy : null,
  lastStartedAt: row.lastStartedAt?.toISOString() ?? null,
  lastDurationMs: row.lastDurationMs,
  lastOutcome: row.lastOutcome,
  lastError: row.lastError,
})
