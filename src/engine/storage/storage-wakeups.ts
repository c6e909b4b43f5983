import { Injectable } from '@nestjs/common'
import { Database, type Tx } from '../platform/database.js'

/** Tells the placement of this replica that there is something to be done for a storage. */
@Injectable()
export class StorageWakeups {
  private listener: (storageId: string) => void = () => undefined

  constructor(private readonly database: Database) {}

  connect(listener: (storageId: string) => void): void {
    this.listener = listener
  }

  /** After the commit; a wake-up that is lost costs until the next sweep. */
  wake(tx: Tx, storageId: string): void {
    this.database.afterCommit(tx, () => this.listener(storageId))
  }
}
