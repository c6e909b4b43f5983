import { FaultError, faultOf } from '../../../fault.js'
import type { Logger } from '../../../logger.js'
import { reload } from './process.js'
import { ask, openLine, tell } from './socket.js'
import { parseStat, type StatRow } from './stat.js'
import { carriedOver, tablesOf } from './stickiness.js'
import { readWorkers, socketOf } from './worker.js'

const ASK_MS = 5000
const TELL_MS = 30_000

/** What a worker had counted when another took its place. */
export interface LastCount {
  readonly worker: number
  readonly rows: readonly StatRow[]
}

/**
 * Reloads, and gives the new worker what the old one alone knows: where clients stick, which it forgets as soon as it is
 * relieved, and what it has counted, which it is asked for when it is: over a line that was open before. @throws FaultError of
 * the reload
 */
export async function reloadWithHandOver(
  master: number,
  before: string | null,
  config: string,
  logger: Logger,
): Promise<LastCount | null> {
  const path = socketOf(master, 'stats')
  const worker = (await readWorkers(master))?.current ?? null
  // a worker that does not answer has nothing to hand over
  const sticking = await readSticking(path, before ?? '', config).catch(() => null)
  const line = await openLine(path, ASK_MS).catch(() => null)
  try {
    await reload(master)
    if (worker === null || line === null) return null
    const rows = parseStat(await line.ask('show stat', ASK_MS))
    if (sticking !== null) {
      const states = await ask(path, 'show servers state', ASK_MS)
      await tell(path, carriedOver(sticking.tables, sticking.states, states), TELL_MS).catch((error: unknown) =>
        logger.warn({ error: faultOf(error).message }, 'clients may come to another member than before'),
      )
    }
    return { worker, rows }
  } catch (error) {
    if (error instanceof FaultError) throw error
    logger.warn({ error: faultOf(error).message }, 'the former worker of haproxy handed over less than it had')
    return null
  } finally {
    line?.hangUp()
  }
}

/** Of the tables that stay as they are. */
async function readSticking(
  path: string,
  before: string,
  config: string,
): Promise<{ tables: string; states: string } | null> {
  const former = tablesOf(before)
  const names = [...tablesOf(config)].flatMap(([name, table]) => (former.get(name) === table ? [name] : []))
  if (names.length === 0) return null
  const tables = await ask(path, names.map((name) => `show table ${name}`).join(';'), ASK_MS)
  return { tables, states: await ask(path, 'show servers state', ASK_MS) }
}
