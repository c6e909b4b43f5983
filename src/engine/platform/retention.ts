import type { Database } from './database.js'
import type { TurnEnd } from './schedules.js'

const BATCH = 10_000
/** Short: the other schedules of this replica wait meanwhile. */
const TURN_MS = 2_000

/**
 * Removes batch after batch until none is left or the turn is over; transactions stay short, as readers of events wait
 * for each.
 * @param sql deletes the rows of one batch; its last parameter is how many
 */
export async function removeInBatches(
  database: Database,
  sql: string,
  parameters: readonly unknown[],
): Promise<TurnEnd> {
  const untilMs = performance.now() + TURN_MS
  for (;;) {
    // the driver's answer to a DELETE: rows, and how many
    const [, removed]: [unknown[], number] = await database.dataSource.query(sql, [...parameters, BATCH])
    if (removed < BATCH) return 'finished'
    if (performance.now() > untilMs) return 'unfinished'
  }
}
