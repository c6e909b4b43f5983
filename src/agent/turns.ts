/** Work on one key, one after the other; keys do not wait for each other. */
export class Turns {
  private readonly last = new Map<string, Promise<void>>()

  next<T>(key: string, work: () => Promise<T>): Promise<T> {
    const done = (this.last.get(key) ?? Promise.resolve()).then(work)
    const ended = done.then(
      () => undefined,
      () => undefined,
    )
    this.last.set(key, ended)
    void ended.then(() => {
      if (this.last.get(key) === ended) this.last.delete(key)
    })
    return done
  }
}
