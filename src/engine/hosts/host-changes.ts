import { Injectable } from '@nestjs/common'
import { Database, type Tx } from '../platform/database.js'

type Listener = (hostId: string) => void

/**
 * Modules to the right hear which hosts are new or have other labels: after the commit, on the replica that wrote it. What
 * is missed by that, their own sweeps find.
 */
@Injectable()
export class HostChanges {
  private readonly listeners: Listener[] = []

  constructor(private readonly database: Database) {}

  register(listener: Listener): void {
    this.listeners.push(listener)
  }

  announce(tx: Tx, hostId: string): void {
    this.database.afterCommit(tx, () => {
      for (const listener of this.listeners) listener(hostId)
    })
  }
}
