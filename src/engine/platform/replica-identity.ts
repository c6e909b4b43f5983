import { randomUUID } from 'node:crypto'

/** Who this process is among the replicas: a new id with every start, so that a dead predecessor is never mistaken for it. */
export class ReplicaIdentity {
  readonly id = randomUUID()
  private renewedMs = Number.NEGATIVE_INFINITY
  private unbrokenSinceMs = performance.now()

  constructor(
    readonly name: string,
    readonly version: string,
    readonly address: string,
  ) {}

  /** For how long this replica has had a lease without a gap: an outage of the database starts every grace anew. */
  get unbrokenMs(): number {
    return performance.now() - this.unbrokenSinceMs
  }

  /** The lease was renewed, and lasts for so long. */
  renewed(leaseMs: number): void {
    const now = performance.now()
    if (now - this.renewedMs > leaseMs) this.unbrokenSinceMs = now
    this.renewedMs = now
  }
}
