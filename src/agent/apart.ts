import type { Backoff } from './backoff.js'

/** So many refusals in a row cost no pause: whoever waits behind them may be in order. */
const FREE_REFUSALS = 3
/** Between the others, while there are some that have not had their turn: it may be the engine that is not in order. */
const MAX_BETWEEN_MS = 1000

/** The keys whose call was refused: each goes alone from then on, behind all that was never refused, until it is taken. */
export class Apart {
  private readonly keys = new Set<string>()
  private inARow = 0
  private dueMs = 0

  constructor(private readonly backoff: Backoff) {}

  has(key: string): boolean {
    return this.keys.has(key)
  }

  /** Until the next of them may be tried. */
  get waitMs(): number {
    return Math.max(0, this.dueMs - performance.now())
  }

  refused(keys: readonly string[]): void {
    for (const key of keys) this.keys.add(key)
    if (keys.length === 1) this.dueMs = performance.now() + this.pauseMs()
    else this.hurry()
  }

  /** It was taken, or is not to be sent any more. */
  leave(key: string): void {
    if (this.keys.delete(key)) this.hurry()
  }

  /** Something is new: the next one need not wait. */
  hurry(): void {
    this.inARow = 0
    this.dueMs = 0
    this.backoff.reset()
  }

  private pauseMs(): number {
    this.inARow += 1
    const fullMs = this.backoff.nextMs()
    if (this.inARow >= this.keys.size) return fullMs
    return this.inARow <= FREE_REFUSALS ? 0 : Math.min(fullMs, MAX_BETWEEN_MS)
  }
}
