import type { ThrottlerStorage } from '@nestjs/throttler'

interface Window {
  hits: number
  readonly endsAtMs: number
}

/** What the throttler is told of a key. Times are seconds. */
type Counted = Awaited<ReturnType<ThrottlerStorage['increment']>>

const MOST = 100_000

/**
 * Hits per key in windows of one length, in memory. However many keys there are, only so many are kept: the oldest windows
 * go first, so that whoever asks from a million addresses is counted less well, and costs no more.
 */
export class BoundedCounters implements ThrottlerStorage {
  /** In the order in which they began, which is the order in which they end. */
  private readonly windows = new Map<string, Window>()

  constructor(
    private readonly most = MOST,
    private readonly nowMs: () => number = () => performance.now(),
  ) {}

  get size(): number {
    return this.windows.size
  }

  increment(key: string, lengthMs: number, limit: number): Promise<Counted> {
    return Promise.resolve(this.hit(key, lengthMs, limit))
  }

  hit(key: string, lengthMs: number, limit: number): Counted {
    const nowMs = this.nowMs()
    const window = this.current(key, nowMs) ?? this.begin(key, nowMs, lengthMs)
    window.hits++
    const left = secondsOf(window.endsAtMs - nowMs)
    return { totalHits: window.hits, timeToExpire: left, isBlocked: window.hits > limit, timeToBlockExpire: left }
  }

  /** Seconds until there is room again; null: there is. */
  fullFor(key: string, limit: number): number | null {
    const nowMs = this.nowMs()
    const window = this.current(key, nowMs)
    return window && window.hits >= limit ? secondsOf(window.endsAtMs - nowMs) : null
  }

  private current(key: string, nowMs: number): Window | null {
    const window = this.windows.get(key)
    return window && window.endsAtMs > nowMs ? window : null
  }

  private begin(key: string, nowMs: number, lengthMs: number): Window {
    // to the end of the order
    this.windows.delete(key)
    for (const [other, { endsAtMs }] of this.windows) {
      if (endsAtMs > nowMs && this.windows.size < this.most) break
      this.windows.delete(other)
    }
    const window = { hits: 0, endsAtMs: nowMs + lengthMs }
    this.windows.set(key, window)
    return window
  }
}

/** Up, and not by what a clock of fractions adds. */
const secondsOf = (ms: number): number => Math.max(1, Math.ceil(Math.round(ms) / 1_000))
