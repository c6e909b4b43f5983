import { Injectable } from '@nestjs/common'
import { subjectNoun } from '../../wire/commands.js'
import { MAX_OWN_THINGS, UNTOLD_CONNECTIONS } from '../../wire/own-things.js'
import type { InventoryItem } from '../../wire/session.js'
import { OwnThings, type OwnThingsKeeper } from '../hosts/own-things.js'
import type { HostObservation } from '../hosts/subject-owners.js'
import { prepared, type Tx } from '../platform/database.js'
import { targetIdOf } from './storage-target.js'
import { NOUNS, toldBy } from './told-connections.js'
import { untoldCounts, writeUntold } from './untold-connections.queries.js'

const TOLD = `host uuid, managed boolean, id text, status text, fault jsonb, uri text, target text, target_id text, options jsonb,
  mount text, preexisting boolean, leaving boolean`

/** Where a row differs from what was told of it: nothing is written for what stays as it is. */
const CHANGED = `(o.uri, o.target, o.options, o.mount_point, o.operating_status, o.observed_fault, o.preexisting, o.leaving)
  IS DISTINCT FROM (excluded.uri, excluded.target, excluded.options, excluded.mount_point, excluded.operating_status,
    excluded.observed_fault, excluded.preexisting, excluded.leaving)`

const UPSERT = `ON CONFLICT (host_id, connection_id, managed) DO UPDATE
  SET uri = excluded.uri, target = excluded.target, target_id = excluded.target_id, options = excluded.options,
    target_since = CASE WHEN o.target = excluded.target THEN o.target_since ELSE now() END,
    mount_point = excluded.mount_point, preexisting = excluded.preexisting, leaving = excluded.leaving,
    operating_status = excluded.operating_status, observed_fault = excluded.observed_fault,
    observed_at = CASE WHEN o.operating_status = excluded.operating_status
                            AND o.observed_fault IS NOT DISTINCT FROM excluded.observed_fault
                       THEN o.observed_at ELSE now() END, updated_at = now()
  WHERE ${CHANGED}`

/** Storage connections that hosts have without the plane, as they tell of them (S6): shown, and nobody here touches them. */
@Injectable()
export class OwnStorageConnections implements OwnThingsKeeper {
  readonly nouns = NOUNS

  constructor(things: OwnThings) {
    things.register(this)
  }

  async replace(tx: Tx, hostId: string, items: readonly InventoryItem[]): Promise<void> {
    const observations = items.map((item) => ({ ...item, hostId }))
    const [untold = { host: hostId, count: 0 }] = untoldCounts(observations)
    await writeUntold(tx, [untold])
    const told = rowsOf(observations).filter(({ uri }) => uri !== null)
    await prepared(
      tx,
      'own_storage_forget_others',
      `DELETE FROM own_storage_connections o WHERE o.host_id = $1
         AND NOT EXISTS (SELECT FROM unnest($2::text[], $3::boolean[]) AS t(id, managed)
                         WHERE t.id = o.connection_id AND t.managed = o.managed)`,
      [hostId, told.map(({ id }) => id), told.map(({ managed }) => managed)],
    )
    if (told.length > 0) await this.write(tx, told)
  }

  async observe(tx: Tx, observations: readonly HostObservation[]): Promise<void> {
    await writeUntold(tx, untoldCounts(observations))
    const rows = rowsOf(observations)
    const gone = rows.filter((row) => row.gone)
    if (gone.length > 0)
      await prepared(
        tx,
        'own_storage_forget',
        `DELETE FROM own_storage_connections o USING jsonb_to_recordset($1::jsonb) AS t(${TOLD})
         WHERE o.host_id = t.host AND o.connection_id = t.id AND o.managed = t.managed`,
        [JSON.stringify(gone)],
      )
    const told = rows.filter((row) => !row.gone && row.uri !== null)
    if (told.length > 0) await this.write(tx, told)
  }

  /** As with the plane's own: what a silent host has is not seen any more. */
  async unseen(tx: Tx, hostId: string): Promise<void> {
    await tx.query(
      `UPDATE own_storage_connections SET operating_status = 'UNKNOWN', observed_fault = NULL, observed_at = now(), updated_at = now()
       WHERE host_id = $1 AND operating_status <> 'UNKNOWN'`,
      [hostId],
    )
  }

  /** No host has more rows than it may tell of; in one order, so that two batches that meet wait for each other and not for ever. */
  private async write(tx: Tx, told: readonly object[]): Promise<void> {
    await prepared(
      tx,
      'own_storage_write',
      `INSERT INTO own_storage_connections AS o
         (host_id, managed, connection_id, uri, target, target_id, options, mount_point, preexisting, leaving, operating_status,
          observed_fault)
       SELECT t.host, t.managed, t.id, t.uri, t.target, t.target_id, t.options, t.mount, t.preexisting, t.leaving, t.status,
         t.fault
       FROM (SELECT t.*, k.id IS NOT NULL AS known, row_number() OVER (PARTITION BY t.host, k.id IS NULL) AS place
             FROM jsonb_to_recordset($1::jsonb) AS t(${TOLD})
             LEFT JOIN own_storage_connections k
               ON k.host_id = t.host AND k.connection_id = t.id AND k.managed = t.managed) t
       WHERE t.known OR t.place + (SELECT count(*) FROM own_storage_connections k WHERE k.host_id = t.host) <= $2
       ORDER BY t.host, t.id, t.managed
       ${UPSERT}`,
      [JSON.stringify(told), 2 * MAX_OWN_THINGS],
    )
  }
}

/** One row a subject: a statement that meets a row twice takes either, or fails. */
function rowsOf(observations: readonly HostObservation[]) {
  const ofConnections = observations.filter(({ subject }) => subjectNoun(subject) !== UNTOLD_CONNECTIONS)
  const bySubject = new Map(ofConnections.map((o) => [`${o.hostId} ${o.subject}`, o]))
  return [...bySubject.values()].map((o) => {
    const told = toldBy(o)
    const targetId = told.target === null ? null : targetIdOf(o.hostId, told.target)
    return { host: o.hostId, gone: o.gone === true, ...told, target_id: targetId }
  })
}
