/** What is done under one key, one after the other, in the order in which it came. */
export class Lanes {
  private readonly last = new Map<string, Promise<unknown>>()

  async run<T>(key: string, work: () => Promise<T>): Promise<T> {
    const before = this.last.get(key) ?? Promise.resolve()
    const done = before.then(work)
    const ended = done.catch(() => undefined)
    this.last.set(key, ended)
    try {
      return await done
    } finally {
      if (this.last.get(key) === ended) this.last.delete(key)
    }
  }
}
