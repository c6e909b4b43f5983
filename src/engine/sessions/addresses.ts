import { Injectable } from '@nestjs/common'

/** Where replicas listen for hosts, `host:port`: what every welcome tells, this replica's own first. */
@Injectable()
export class Addresses {
  private mine: readonly string[] = []
  private others: readonly string[] = []

  get own(): readonly string[] {
    return this.mine
  }

  all(): string[] {
    return [...new Set([...this.mine, ...this.others])]
  }

  /** Set once the transport listens: only then is a port that was left to the system known. */
  announce(own: readonly string[]): void {
    this.mine = own
  }

  learn(others: readonly string[]): void {
    this.others = others
  }
}
