import { Apart } from './apart.js'
import { Backoff, type BackoffRange } from './backoff.js'
import type { Logger } from './logger.js'
import { Pause } from './pause.js'
import { RefusedError } from './refused-error.js'
import type { CurrentSession, Session } from './session.js'

export interface OutboxOptions<T> {
  /** What the items are, for the logs. */
  readonly name: string
  readonly current: CurrentSession
  readonly maxItems: number
  /** Limit on the JSON of one batch; a single larger item still goes alone. */
  readonly maxChars: number
  /** @returns the keys that need not be sent again. */
  readonly deliver: (session: Session, items: ReadonlyMap<string, T>) => Promise<readonly string[]>
  readonly logger: Logger
  readonly backoff?: BackoffRange
  readonly random?: () => number
}

/** The engine cannot take anything now, whatever it is; every other refusal may be an item's own fault. */
const sayAgain: ReadonlySet<string> = new Set(['unavailable', 'fenced'])

/**
 * Keeps the newest item per key until the plane has it, over any number of sessions; one call in flight. What is refused
 * is tried one by one behind all others, so that one bad item never holds up the rest.
 */
export class Outbox<T extends object> {
  private readonly items = new Map<string, T>()
  private readonly backoff: Backoff
  private readonly apart: Apart
  private readonly pause = new Pause()
  private pumping = false
  private stopped = false
  private failing = false
  private readonly idle = new Set<() => void>()
  private readonly stopListening: () => void

  constructor(private readonly options: OutboxOptions<T>) {
    const range = options.backoff ?? { baseMs: 250, maxMs: 10_000 }
    this.backoff = new Backoff(range, options.random)
    this.apart = new Apart(new Backoff(range, options.random))
    this.stopListening = options.current.onChange((session) => {
      if (session === null) return
      this.backoff.reset()
      this.apart.hurry()
      this.pause.wake()
      this.pump()
    })
  }

  get size(): number {
    return this.items.size
  }

  has(key: string): boolean {
    return this.items.has(key)
  }

  put(key: string, item: T): void {
    this.items.delete(key)
    this.items.set(key, item)
    if (this.apart.has(key)) this.apart.hurry()
    // It need not wait for those that were refused; an engine that takes nothing at all is given its time.
    if (!this.failing) this.pause.wake()
    this.pump()
  }

  drop(key: string): void {
    this.items.delete(key)
    this.apart.leave(key)
  }

  /** Resolves when nothing is left to deliver, or after `limitMs`. */
  async drained(limitMs: number): Promise<boolean> {
    if (this.items.size === 0) return true
    return await new Promise((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.idle.delete(done)
        resolve(this.items.size === 0)
      }
      const timer = setTimeout(done, limitMs)
      this.idle.add(done)
    })
  }

  stop(): void {
    this.stopped = true
    this.stopListening()
    this.pause.wake()
  }

  private pump(): void {
    if (this.pumping) return
    this.pumping = true
    // Next turn: what is put together travels together.
    setImmediate(() => void this.deliverAll())
  }

  private async deliverAll(): Promise<void> {
    for (let session = this.session(); session !== null && this.items.size > 0; session = this.session()) {
      const batch = this.batch()
      const waitMs = batch.size === 0 ? this.apart.waitMs : await this.deliverOne(session, batch)
      if (waitMs > 0 && this.session() !== null) await this.pause.wait(waitMs)
    }
    this.pumping = false
    if (this.items.size > 0) return
    for (const done of this.idle) done()
  }

  private session(): Session | null {
    return this.stopped ? null : this.options.current.session
  }

  /** @returns how long to wait before the next one. */
  private async deliverOne(session: Session, batch: ReadonlyMap<string, T>): Promise<number> {
    try {
      const acknowledged = await this.options.deliver(session, batch)
      this.failing = false
      this.settle(batch, new Set(acknowledged))
      if (acknowledged.length === 0) return this.backoff.nextMs()
      this.backoff.reset()
      return 0
    } catch (error) {
      if (error instanceof RefusedError && !sayAgain.has(error.code) && this.session() === session) {
        this.refused(batch, error)
        return 0
      }
      if (!this.failing)
        this.options.logger.warn({ err: error }, `the engine did not take ${this.options.name}: sent again`)
      this.failing = true
      return this.backoff.nextMs()
    }
  }

  private refused(batch: ReadonlyMap<string, T>, error: RefusedError): void {
    const keys = [...batch.keys()]
    if (!keys.every((key) => this.apart.has(key)))
      this.options.logger.warn({ err: error, keys }, `the engine refuses ${this.options.name}: tried one by one`)
    this.failing = false
    this.settle(batch, new Set())
    this.apart.refused(keys.filter((key) => this.items.has(key)))
  }

  private batch(): Map<string, T> {
    const batch = new Map<string, T>()
    let chars = 0
    for (const [key, item] of this.items) {
      if (this.apart.has(key)) continue
      chars += JSON.stringify(item).length
      if (batch.size > 0 && (batch.size >= this.options.maxItems || chars > this.options.maxChars)) break
      batch.set(key, item)
    }
    if (batch.size > 0 || this.apart.waitMs > 0) return batch
    const [first] = this.items
    return new Map(first && [first])
  }

  /** What changed while it was on its way stays; what was not taken goes to the end, so that it holds nobody up. */
  private settle(batch: ReadonlyMap<string, T>, acknowledged: ReadonlySet<string>): void {
    for (const [key, item] of batch) {
      if (this.items.get(key) !== item) continue
      this.items.delete(key)
      if (!acknowledged.has(key)) this.items.set(key, item)
      else this.apart.leave(key)
    }
  }
}
