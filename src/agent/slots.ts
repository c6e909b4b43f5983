/** At most `limit` holders at once; the others wait in the order in which they came. */
export class Slots {
  private readonly waiting: (() => void)[] = []
  private readonly emptied = new Set<() => void>()
  private held = 0

  constructor(private readonly limit: number) {}

  get taken(): number {
    return this.held
  }

  async take(): Promise<void> {
    if (this.held < this.limit) {
      this.held += 1
      return
    }
    await new Promise<void>((resolve) => this.waiting.push(resolve))
  }

  release(): void {
    const next = this.waiting.shift()
    if (next !== undefined) {
      next()
      return
    }
    this.held -= 1
    if (this.held === 0) for (const done of this.emptied) done()
  }

  /** Resolves when nobody holds one any more, or after `limitMs`. */
  async empty(limitMs: number): Promise<void> {
    if (this.held === 0) return
    await new Promise<void>((resolve) => {
      const done = () => {
        clearTimeout(timer)
        this.emptied.delete(done)
        resolve()
      }
      const timer = setTimeout(done, limitMs)
      this.emptied.add(done)
    })
  }

  async hold<T>(work: () => Promise<T>): Promise<T> {
    await this.take()
    try {
      return await work()
    } finally {
      this.release()
    }
  }
}
