import type { GuestIntent } from '../../wire/guests/intent.js'
import type { GuestStatus } from '../../wire/guests/terms.js'
import type { GuestSight } from './driver.js'

/** How fast guests are started again that end by themselves. */
export interface RestartPace {
  /** Before the first start; twice as long before each that follows. */
  readonly firstMs: number
  readonly mostMs: number
  /** One that has run for so long begins anew with the first. */
  readonly goodMs: number
}

const PACE: RestartPace = { firstMs: 1_000, mostMs: 300_000, goodMs: 600_000 }

interface Streak {
  /** Starts in a row, each not long after the one before. */
  readonly count: number
  readonly startedMs: number
}

type Asked = Pick<GuestIntent, 'id' | 'power' | 'restartPolicy'>

/** Which ends a policy makes good. */
const endsOf: Readonly<Record<GuestIntent['restartPolicy'], readonly GuestStatus[]>> = {
  never: [],
  'on-crash': ['CRASHED'],
  always: ['CRASHED', 'STOPPED'],
}

/** When a guest that has ended without being asked to is started again. */
export class Restarts {
  private readonly streaks = new Map<string, Streak>()
  /** When its end was seen first. */
  private readonly ended = new Map<string, number>()
  private readonly under = new Set<string>()

  constructor(private readonly pace: RestartPace = PACE) {}

  /** True once for each start: until `done`, nothing is due again. */
  isDue(guest: Asked, sight: Pick<GuestSight, 'status'>): boolean {
    if (!hasEnded(guest, sight)) {
      this.ended.delete(guest.id)
      return false
    }
    const nowMs = performance.now()
    const endedMs = this.ended.get(guest.id) ?? nowMs
    this.ended.set(guest.id, endedMs)
    if (this.under.has(guest.id) || nowMs - endedMs < this.waitMs(guest.id, endedMs)) return false
    this.under.add(guest.id)
    return true
  }

  /** @returns false when there is nothing to be started any more */
  begin(guest: Asked, sight: Pick<GuestSight, 'status'>): boolean {
    const endedMs = this.ended.get(guest.id)
    this.ended.delete(guest.id)
    if (endedMs === undefined || !hasEnded(guest, sight)) return false
    this.streaks.set(guest.id, { count: this.countOf(guest.id, endedMs) + 1, startedMs: performance.now() })
    return true
  }

  done(guestId: string): void {
    this.under.delete(guestId)
  }

  /** It was asked for anew, or is no more. */
  forget(guestId: string): void {
    this.streaks.delete(guestId)
    this.ended.delete(guestId)
  }

  private waitMs(guestId: string, endedMs: number): number {
    const { firstMs, mostMs } = this.pace
    return Math.min(firstMs * 2 ** Math.min(this.countOf(guestId, endedMs), 30), mostMs)
  }

  private countOf(guestId: string, endedMs: number): number {
    const streak = this.streaks.get(guestId)
    return streak === undefined || endedMs - streak.startedMs >= this.pace.goodMs ? 0 : streak.count
  }
}

const hasEnded = ({ power, restartPolicy }: Asked, { status }: Pick<GuestSight, 'status'>): boolean =>
  power === 'RUNNING' && endsOf[restartPolicy].includes(status)
