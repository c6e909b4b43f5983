import { AsyncResource } from 'node:async_hooks'
import { Injectable, Logger, type OnApplicationShutdown } from '@nestjs/common'
import { HostChanges } from '../hosts/host-changes.js'
import { Database } from '../platform/database.js'
import type { TurnEnd } from '../platform/schedules.js'
import { StorageBatch } from './storage-batch.js'
import { storagesDue, storagesOfHost } from './storage-placement.queries.js'
import { StorageWakeups } from './storage-wakeups.js'

const STORAGES_A_TURN = 50

/**
 * Keeps storages on the hosts that they match: at once where this replica hears of a reason, and by a sweep of whichever
 * replica. What is to be done is found anew each time from the rows, so that doing it twice does nothing.
 */
@Injectable()
export class StoragePlacement implements OnApplicationShutdown {
  private readonly log = new Logger(StoragePlacement.name)
  // not in the context of the request that woke it: what it does is nobody's call
  private readonly own = new AsyncResource(StoragePlacement.name)
  private readonly storages = new Set<string>()
  private readonly hosts = new Set<string>()
  private running: Promise<void> | null = null
  private stopped = false

  constructor(
    wakeups: StorageWakeups,
    changes: HostChanges,
    private readonly database: Database,
    private readonly batch: StorageBatch,
  ) {
    wakeups.connect((storageId) => this.wake(this.storages, storageId))
    changes.register((hostId) => this.wake(this.hosts, hostId))
  }

  /** The net under lost wake-ups, and what tries again. */
  async sweep(): Promise<TurnEnd> {
    const due = await storagesDue(this.database.dataSource.manager, STORAGES_A_TURN)
    for (const id of due) await this.place(id)
    return due.length === STORAGES_A_TURN ? 'unfinished' : 'finished'
  }

  async onApplicationShutdown(): Promise<void> {
    this.stopped = true
    await this.running
  }

  private wake(due: Set<string>, id: string): void {
    due.add(id)
    if (!this.stopped) this.running ??= this.own.runInAsyncScope(() => this.run())
  }

  private async run(): Promise<void> {
    // next tick: `running` is set by then
    await Promise.resolve()
    try {
      while (!this.stopped && (await this.next()));
    } catch (error) {
      this.log.warn({ err: error }, 'storages cannot be placed now: the sweep will')
      this.storages.clear()
      this.hosts.clear()
    } finally {
      this.running = null
    }
  }

  private async next(): Promise<boolean> {
    const [hostId] = this.hosts
    if (hostId !== undefined) {
      this.hosts.delete(hostId)
      for (const id of await storagesOfHost(this.database.dataSource.manager, hostId)) this.storages.add(id)
      return true
    }
    const [storageId] = this.storages
    if (storageId === undefined) return false
    this.storages.delete(storageId)
    await this.place(storageId)
    return true
  }

  private async place(storageId: string): Promise<void> {
    while (!this.stopped && (await this.batch.run(storageId)) === 'unfinished');
  }
}
