import { AsyncLocalStorage } from 'node:async_hooks'
import { isDatabaseOutage } from './database-outage.js'
import { Unavailable } from './errors.js'

interface Waiting<T, R> {
  readonly item: T
  readonly done: (result: R) => void
  readonly failed: (error: Error) => void
}

export interface GathererOptions<T, R> {
  /** Writes a batch as one; answers a result for each item, in order. */
  readonly write: (items: readonly T[]) => Promise<readonly R[]>
  /** What waits, for the refusal of more. */
  readonly name: string
  readonly maxBatch: number
  /** Items that may wait for the database before further ones are refused. */
  readonly maxWaiting: number
  /**
   * How long a batch may wait for as many as came lately, where many come at once: callers who are answered together ask
   * again together, and the first of them would else take a whole write for itself while all the others wait for it.
   */
  readonly lingerMs?: number
}

/** After a pause of this length nobody is expected. */
const FORGET_AFTER_MS = 100

/**
 * Gathers items while the batch before them is being written: many callers cost one transaction, and a single one waits
 * for nobody.
 */
export class Gatherer<T, R> {
  private waiting: Waiting<T, R>[] = []
  private writing = false
  /** How many are likely to come together. */
  private expected = 1
  private wroteAtMs = 0
  private enoughAreHere: () => void = () => undefined
  /** A batch is of many requests: what belongs to one of them alone (its log context, its transaction) is left behind. */
  private readonly outside = AsyncLocalStorage.snapshot()

  constructor(private readonly options: GathererOptions<T, R>) {}

  /** @throws Unavailable when too many wait already */
  async submit(items: readonly T[]): Promise<R[]> {
    const { maxWaiting, name } = this.options
    if (this.waiting.length + items.length > maxWaiting) throw new Unavailable(`too many ${name} wait for the database`)
    return Promise.all(items.map((item) => this.enqueue(item)))
  }

  private enqueue(item: T): Promise<R> {
    return new Promise((done, failed) => {
      this.waiting.push({ item, done, failed })
      if (!this.writing) void this.outside(() => this.writeAll())
      else if (this.waiting.length >= this.expected) this.enoughAreHere()
    })
  }

  private async writeAll(): Promise<void> {
    this.writing = true
    // next tick: what is submitted together travels together
    await Promise.resolve()
    while (this.waiting.length > 0) {
      await this.linger()
      const batch = this.waiting.splice(0, this.options.maxBatch)
      this.expected = Math.max(1, Math.floor((this.expected + batch.length) / 2))
      await this.writeBatch(batch)
      this.wroteAtMs = performance.now()
    }
    this.writing = false
  }

  private async linger(): Promise<void> {
    const { lingerMs } = this.options
    if (lingerMs === undefined) return
    if (performance.now() - this.wroteAtMs > FORGET_AFTER_MS) this.expected = 1
    if (this.waiting.length >= this.expected) return
    await new Promise<void>((resolve) => {
      const timer = setTimeout(resolve, lingerMs)
      this.enoughAreHere = () => {
        clearTimeout(timer)
        resolve()
      }
    })
    this.enoughAreHere = () => undefined
  }

  /** One bad item costs the others a second try each, one by one; an outage is everybody's. */
  private async writeBatch(batch: readonly Waiting<T, R>[]): Promise<void> {
    try {
      const results = await this.options.write(batch.map(({ item }) => item))
      batch.forEach(({ done }, index) => {
        done(results[index] as R)
      })
    } catch (error) {
      if (batch.length > 1 && !isDatabaseOutage(error)) {
        for (const waiting of batch) await this.writeBatch([waiting])
        return
      }
      const cause = error instanceof Error ? error : new Error(String(error))
      for (const { failed } of batch) failed(cause)
    }
  }
}
