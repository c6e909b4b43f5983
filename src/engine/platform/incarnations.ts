import { Injectable } from '@nestjs/common'
import { Database, prepared, type Tx } from './database.js'

export interface CurrentIncarnation {
  readonly number: number
  readonly id: string
}

const CLUSTER_ID = `(pg_control_system()).system_identifier || '/' || (pg_control_checkpoint()).timeline_id`

/** Which life of the database this is: what tells a restored database from the running one. */
@Injectable()
export class Incarnations {
  constructor(private readonly database: Database) {}

  async current(tx: Tx): Promise<CurrentIncarnation> {
    const [row] = await prepared<{ number: number; id: string }>(
      tx,
      'incarnation_current',
      'SELECT number, id FROM incarnations ORDER BY number DESC LIMIT 1',
    )
    if (!row) throw new Error('the database has no incarnation: its migrations did not run')
    return row
  }

  /** At start: a database that was restored into another cluster, or to an earlier point in time, begins a new life. */
  async adopt(): Promise<void> {
    const current = await this.database.transaction(async (tx) => {
      const [row] = await tx.query(
        `SELECT number, cluster_id = ${CLUSTER_ID} AS same FROM incarnations ORDER BY number DESC LIMIT 1`,
      )
      return row as { number: number; same: boolean } | undefined
    })
    if (current && !current.same) await this.begin(current.number, 'the database moved to another cluster or timeline')
  }

  /**
   * A new life after `known`, unless another replica was quicker. The lock waits for every transaction that appends
   * events, so that no event of the old life commits after one of the new.
   * @returns whether it began here
   */
  async begin(known: number, reason: string): Promise<boolean> {
    return this.database.transaction(async (tx) => {
      await tx.query('LOCK TABLE events IN SHARE ROW EXCLUSIVE MODE')
      const begun: object[] = await tx.query(
        `INSERT INTO incarnations (cluster_id, reason)
         SELECT ${CLUSTER_ID}, $2 WHERE (SELECT max(number) FROM incarnations) = $1 RETURNING number`,
        [known, reason],
      )
      return begun.length > 0
    })
  }
}
