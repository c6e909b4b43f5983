/** The ids that hold a target, and what each wants of it: the newest one's counts, and when that id goes, the one's before it. */
export class Wants<W> {
  private readonly byId = new Map<string, W>()

  /** @param newest until an id wants something, and when none is left */
  constructor(private current: W) {}

  get ids(): readonly string[] {
    return [...this.byId.keys()]
  }

  get newest(): W {
    return this.current
  }

  want(id: string, wanted: W): void {
    this.byId.delete(id)
    this.byId.set(id, wanted)
    this.current = wanted
  }

  drop(id: string): void {
    const wasNewest = this.byId.get(id) === this.current
    this.byId.delete(id)
    if (wasNewest) this.current = [...this.byId.values()].at(-1) ?? this.current
  }
}
