export interface BackoffRange {
  readonly baseMs: number
  readonly maxMs: number
}

/** Exponential delays, each cut by up to half at random so that many who failed together do not come back together. */
export class Backoff {
  private failures = 0

  constructor(
    private readonly range: BackoffRange,
    private readonly random: () => number = Math.random,
  ) {}

  nextMs(): number {
    const fullMs = Math.min(this.range.maxMs, this.range.baseMs * 2 ** Math.min(this.failures, 30))
    this.failures += 1
    return fullMs * (0.5 + this.random() / 2)
  }

  /** The longest delay, for what will not get better soon. */
  longestMs(): number {
    this.failures += 1
    return this.range.maxMs * (0.5 + this.random() / 2)
  }

  reset(): void {
    this.failures = 0
  }
}
