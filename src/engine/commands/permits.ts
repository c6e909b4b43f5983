import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import { grantPermit, type PermitAnswer } from './dispatch.queries.js'

/** The start permit of *once* commands. */
@Injectable()
export class Permits {
  constructor(private readonly database: Database) {}

  ask(hostId: string, epoch: number, commandId: string): Promise<PermitAnswer> {
    return this.database.statement((tx) => grantPermit(tx, hostId, epoch, commandId))
  }
}
