/** What is done to one balancer, one after the other, in the order in which it came. */
export class Lane {
  private last: Promise<unknown> = Promise.resolve()
  private inside = 0

  get busy(): boolean {
    return this.inside > 0
  }

  run<T>(work: () => Promise<T>): Promise<T> {
    this.inside += 1
    const done = this.last.then(work).finally(() => {
      this.inside -= 1
    })
    this.last = done.catch(() => undefined)
    return done
  }
}
