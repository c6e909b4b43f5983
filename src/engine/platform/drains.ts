import { Injectable } from '@nestjs/common'
import type { Tx } from './database.js'

/** Something on a host that must move or stop before the host may be in maintenance. */
export interface Blocker {
  readonly noun: string
  readonly id: string
  readonly reason: string
}

type Drain = (tx: Tx, hostId: string) => Promise<readonly Blocker[]>

/** "Drain before I stop": modules to the right start moving their things off a host, and say what is still there. */
@Injectable()
export class Drains {
  private readonly drains: Drain[] = []

  register(drain: Drain): void {
    this.drains.push(drain)
  }

  async blockers(tx: Tx, hostId: string): Promise<readonly Blocker[]> {
    const found: Blocker[] = []
    for (const drain of this.drains) found.push(...(await drain(tx, hostId)))
    return found
  }
}
