import type { Fault } from '../../wire/session.js'
import type { Backoff } from '../backoff.js'
import { makeFault } from '../fault.js'

/** Other options, while what is connected cannot be let go of: tried again and again, and it works on as it is meanwhile. */
export class WaitingChange {
  private hindrance: Fault | null = null
  private dueAtMs = 0

  constructor(private readonly backoff: Backoff) {}

  /** Null: nothing waits. */
  get fault(): Fault | null {
    if (this.hindrance === null) return null
    const { type, message, number } = this.hindrance
    return makeFault(type, `it works on with its old options, since it cannot be connected anew: ${message}`, number)
  }

  get isDue(): boolean {
    return performance.now() >= this.dueAtMs
  }

  hinder(hindrance: Fault): void {
    this.hindrance = hindrance
    this.dueAtMs = performance.now() + this.backoff.nextMs()
  }

  /** Made, or no longer what is wanted. */
  end(): void {
    this.hindrance = null
    this.dueAtMs = 0
    this.backoff.reset()
  }
}
