import { subjectNoun } from '../../wire/commands.js'
import { UNTOLD_CONNECTIONS } from '../../wire/own-things.js'
import type { HostObservation } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'

const MAX_COUNT = 2 ** 31 - 1

export interface UntoldCount {
  readonly host: string
  readonly count: number
}

/** What hosts tell of how many more there are; of one host the last counts. */
export function untoldCounts(observations: readonly HostObservation[]): UntoldCount[] {
  const told = observations.filter(({ subject }) => subjectNoun(subject) === UNTOLD_CONNECTIONS)
  const byHost = new Map(told.map((o) => [o.hostId, o.gone === true ? 0 : countOf(o.detail?.count)]))
  return [...byHost].map(([host, count]) => ({ host, count }))
}

const countOf = (count: unknown): number =>
  Number.isInteger(count) ? Math.min(Math.max(Number(count), 0), MAX_COUNT) : 0

/** Plan: index lookups of the hosts. */
export async function writeUntold(tx: Tx, counts: readonly UntoldCount[]): Promise<void> {
  if (counts.length === 0) return
  await prepared(
    tx,
    'storage_untold_write',
    `WITH t AS (SELECT * FROM jsonb_to_recordset($1::jsonb) AS t(host uuid, count integer)),
       none AS (DELETE FROM untold_storage_connections u USING t WHERE u.host_id = t.host AND t.count = 0)
     INSERT INTO untold_storage_connections AS u (host_id, count) SELECT host, count FROM t WHERE count > 0 ORDER BY host
     ON CONFLICT (host_id) DO UPDATE SET count = excluded.count WHERE u.count <> excluded.count`,
    [JSON.stringify(counts)],
  )
}

export async function findUntold(tx: Tx, hostId: string): Promise<number> {
  const [row] = await prepared<{ count: number }>(
    tx,
    'storage_untold',
    'SELECT count FROM untold_storage_connections WHERE host_id = $1',
    [hostId],
  )
  return row?.count ?? 0
}
