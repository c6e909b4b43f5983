import { Injectable } from '@nestjs/common'
import { Database } from '../platform/database.js'
import type { TurnEnd } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { insertUnchained } from './audit.queries.js'
import { byPlane } from './audit-drafts.js'
import { anchorSubject, RETENTION_OPERATION, removeOldest } from './audit-retention.queries.js'
import { AuditWriter } from './audit-writer.js'

const BATCH = 10_000

/** Removes the oldest rows, and says so in the log itself: an anchor that no row vouches for is a fault. */
@Injectable()
export class AuditRetention {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
    private readonly writer: AuditWriter,
  ) {}

  async removeOld(): Promise<TurnEnd> {
    const anchor = await this.database.transaction(async (tx) => {
      const removed = await removeOldest(tx, this.settings.get('audit.retentionMs'), BATCH)
      if (!removed) return null
      const words = `rows up to ${removed.seq} were older than audit.retentionMs`
      await insertUnchained(tx, [{ ...byPlane(RETENTION_OPERATION, words, [anchorSubject(removed)]), ageMs: 0 }])
      return removed
    })
    if (anchor) this.writer.ring()
    return anchor ? 'unfinished' : 'finished'
  }
}
