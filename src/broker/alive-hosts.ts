const FRESH_MS = 60_000

/** Which hosts somebody said are alive, as the original answers it: for a minute, and then nobody is known to be. */
export class AliveHosts {
  private hostIds: readonly number[] = []
  private atMs = Number.NEGATIVE_INFINITY

  constructor(private readonly nowMs: () => number = () => performance.now()) {}

  push(hostIds: readonly number[]): void {
    this.hostIds = [...new Set(hostIds)].sort((a, b) => a - b)
    this.atMs = this.nowMs()
  }

  recent(): readonly number[] {
    return this.nowMs() - this.atMs <= FRESH_MS ? this.hostIds : []
  }
}
