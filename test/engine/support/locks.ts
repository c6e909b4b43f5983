import type { TestEngine } from '../../support/engine.js'
import { eventually } from '../../support/eventually.js'

/** Waits until so many statements wait for locks that others hold: what goes on in the background may be among them. */
export async function waitingForLocks(engine: TestEngine, count: number): Promise<void> {
  await eventually(async () => {
    const [row] = await engine.query<{ waiting: number }>(
      `SELECT count(*)::int AS waiting FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND datname = current_database()`,
    )
    expect(row?.waiting).toBeGreaterThanOrEqual(count)
  })
}
