import { Injectable } from '@nestjs/common'

/** Where REST is reached, and what it shows there. */
export interface RestAddresses {
  readonly urls: readonly string[]
  /** SHA-256 of its certificate where an authority that is not the plane's has signed it. */
  readonly certificate: string | null
}

/** Where replicas listen: for hosts, `host:port`, what every welcome tells, this replica's own first; and for REST. */
@Injectable()
export class Addresses {
  private mine: readonly string[] = []
  private others: readonly string[] = []
  private ownRest: RestAddresses = { urls: [], certificate: null }

  get own(): readonly string[] {
    return this.mine
  }

  get rest(): RestAddresses {
    return this.ownRest
  }

  all(): string[] {
    return [...new Set([...this.mine, ...this.others])]
  }

  /** Set once the transport listens: only then is a port that was left to the system known. */
  announce(own: readonly string[]): void {
    this.mine = own
  }

  /** As `announce`, for REST. */
  announceRest(rest: RestAddresses): void {
    this.ownRest = rest
  }

  learn(others: readonly string[]): void {
    this.others = others
  }
}
