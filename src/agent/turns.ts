/** Work of one key is done one after the other, in the order in which it came; that of different keys side by side. */
export class Turns {
  private readonly last = new Map<string, Promise<unknown>>()

  async take<T>(key: string, work: () => Promise<T>): Promise<T> {
    const mine = (this.last.get(key) ?? Promise.resolve()).then(work)
    const over = mine.catch(() => undefined)
    this.last.set(key, over)
    try {
      return await mine
    } finally {
      if (this.last.get(key) === over) this.last.delete(key)
    }
  }
}
