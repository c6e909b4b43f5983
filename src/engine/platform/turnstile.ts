/** Lets a few through at a time; the others wait in line, and one who has gone meanwhile costs nothing. */
export class Turnstile {
  private inside = 0
  private readonly line: (() => void)[] = []

  constructor(
    private readonly limit: number,
    private readonly maxWaiting: number,
  ) {}

  get full(): boolean {
    return this.line.length >= this.maxWaiting
  }

  get waiting(): number {
    return this.line.length
  }

  /** @returns null without running `work` when `gone` says so as its turn comes */
  pass<T>(work: () => Promise<T>): Promise<T>
  pass<T>(work: () => Promise<T>, gone: () => boolean): Promise<T | null>
  async pass<T>(work: () => Promise<T>, gone: () => boolean = () => false): Promise<T | null> {
    if (this.inside >= this.limit) await new Promise<void>((resolve) => this.line.push(resolve))
    else this.inside++
    try {
      return gone() ? null : await work()
    } finally {
      // the place is handed over, so that nobody slips in between
      const next = this.line.shift()
      if (next) next()
      else this.inside--
    }
  }
}
