/** A few at a time; the others wait in line. */
export class Turns {
  private inside = 0
  private readonly line: (() => void)[] = []

  constructor(private readonly atOnce: number) {}

  async pass<T>(work: () => Promise<T>): Promise<T> {
    if (this.inside >= this.atOnce) await new Promise<void>((resolve) => this.line.push(resolve))
    else this.inside += 1
    try {
      return await work()
    } finally {
      // the place is handed over, so that nobody slips in between
      const next = this.line.shift()
      if (next) next()
      else this.inside -= 1
    }
  }
}
