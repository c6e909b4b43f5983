import { type CommandKind, commandKinds } from '../../wire/commands.js'
import type { Fault, ReportState } from '../../wire/session.js'
import { appendFrom, type EventRow, encodeEvents } from '../events/events.service.js'
import { prepared, type Tx } from '../platform/database.js'
import type { EndedCommand } from './settlers.js'

const kindsOf = (mode: 'level' | 'once'): CommandKind[] =>
  (Object.keys(commandKinds) as CommandKind[]).filter((kind) => commandKinds[kind].mode === mode)

export const levelKinds = kindsOf('level')

export interface CommandInsert {
  readonly id: string
  readonly hostId: string
  readonly projectId: string | null
  readonly kind: CommandKind
  readonly subject: string
  readonly generation: number
  readonly payload: object
  readonly sealedSecrets: string | null
  readonly deadlineMs: number | null
  readonly supersedes: boolean
  readonly requestId: string | null
  /** What the request is told by. */
  readonly events: readonly EventRow[]
}

/**
 * Number, supersede, insert, tell: parts of one statement, the last of them called `queued`. The numbers' row locks are held
 * until the commit, so that commands of one host become visible in the order of their numbers; they are taken in the order of
 * the hosts' ids, so that two statements for many hosts wait, and neither for ever. Rows that somebody else has locked are no
 * longer merely queued. Plan: index lookups for each command.
 * @param first number of the first of the three parameters that `parametersOf` gives
 * @param where a condition that leaves out commands `c`
 */
export function queueing(first: number, where = 'true'): string {
  const [commands, events, levels] = [`$${first}`, `$${first + 1}`, `$${first + 2}`]
  return `asked AS (
       SELECT * FROM jsonb_to_recordset(${commands}::jsonb)
         AS c(place int, id uuid, "hostId" uuid, "projectId" uuid, kind text, subject text, generation int, payload jsonb,
              "sealedSecrets" text, "deadlineMs" float8, supersedes boolean, "requestId" text)
       WHERE ${where}
     ), line AS (
       SELECT s.host_id, a.more FROM host_sequences s
       JOIN (SELECT "hostId", count(*) AS more FROM asked GROUP BY "hostId") a ON a."hostId" = s.host_id
       ORDER BY s.host_id FOR UPDATE OF s
     ), numbered AS (
       UPDATE host_sequences s SET last_seq = s.last_seq + l.more FROM line l WHERE s.host_id = l.host_id
       RETURNING s.host_id, s.last_seq - l.more AS before
     ), given AS (
       SELECT a.*, n.before + row_number() OVER (PARTITION BY a."hostId" ORDER BY a.place) AS seq
       FROM asked a JOIN numbered n ON n.host_id = a."hostId"
     ), old AS (
       UPDATE commands c SET state = 'superseded', superseded_by = o.by, finished_at = now(), sealed_secrets = NULL
       FROM (
         SELECT q.id, g.id AS by FROM given g CROSS JOIN LATERAL (
           SELECT id FROM commands
           WHERE host_id = g."hostId" AND subject = g.subject AND finished_at IS NULL AND state = 'queued'
             AND kind = ANY(${levels}::text[])
           FOR UPDATE SKIP LOCKED) q
         WHERE g.supersedes) o
       WHERE c.id = o.id
     ), told AS (
       ${appendFrom(events)} WHERE e.command_id IN (SELECT id FROM given) ORDER BY e.place
     ), queued AS (
       INSERT INTO commands (id, host_id, seq, kind, subject, generation, payload, deadline_at, request_id, project_id,
         sealed_secrets)
       SELECT id, "hostId", seq, kind, subject, generation, payload, now() + "deadlineMs" * interval '1 millisecond',
         "requestId", "projectId", "sealedSecrets" FROM given
       RETURNING id
     )`
}

export const parametersOf = (commands: readonly CommandInsert[]): unknown[] => [
  JSON.stringify(commands.map(({ events: _, ...command }, place) => ({ place, ...command }))),
  encodeEvents(commands.flatMap(({ events }) => events)),
  levelKinds,
]

/** @returns how many: fewer than given when a host does not exist */
export async function insertCommands(tx: Tx, commands: readonly CommandInsert[]): Promise<number> {
  const rows = await prepared(
    tx,
    'commands_insert',
    `WITH ${queueing(1)} SELECT id FROM queued`,
    parametersOf(commands),
  )
  return rows.length
}

export interface EndReport {
  readonly id: string
  readonly hostId: string
  readonly epoch: number
  readonly state: ReportState
  readonly result: object | null
  readonly fault: Fault | null
}

/** Which of the reports, as `<hostId> <epoch>`, come under the current epoch of their host. */
export async function currentHosts(tx: Tx, reports: readonly EndReport[]): Promise<ReadonlySet<string>> {
  const rows = await prepared<{ id: string; epoch: number }>(
    tx,
    'hosts_of_current_epoch',
    `SELECT DISTINCT h.id, r.epoch FROM hosts h JOIN unnest($1::uuid[], $2::bigint[]) AS r(id, epoch) ON r.id = h.id AND r.epoch = h.session_epoch`,
    [reports.map((r) => r.hostId), reports.map((r) => r.epoch)],
  )
  return new Set(rows.map((row) => `${row.id} ${row.epoch}`))
}

interface EndedRow {
  id: string
  host_id: string
  project_id: string | null
  kind: CommandKind
  subject: string
  generation: number
  payload: object
  state: EndedCommand['state']
  result: object | null
  fault: Fault | null
  late: boolean
}

const ENDED =
  'c.id, c.host_id, c.project_id, c.kind, c.subject, c.generation, c.payload, c.state, c.result, c.fault, c.late'

/**
 * Ends the commands of a batch of reports. One that has ended already is left alone, but for the late success of a
 * level command that had expired. Reports under an old epoch change nothing. Plan: index lookups for each report.
 */
export async function endReported(tx: Tx, reports: readonly EndReport[]): Promise<EndedCommand[]> {
  const rows = await prepared<EndedRow>(
    tx,
    'commands_end_reported',
    `WITH r AS (
       SELECT r.* FROM (
         SELECT * FROM jsonb_to_recordset($1::jsonb)
           AS r(id uuid, "hostId" uuid, epoch bigint, state text, result jsonb, fault jsonb)
         WHERE EXISTS (SELECT FROM hosts h WHERE h.id = r."hostId" AND h.session_epoch = r.epoch OFFSET 0)
         ORDER BY r.id) r
       CROSS JOIN LATERAL (
         SELECT c.id FROM commands c
         -- not by =, for which the host's whole history would do as well
         WHERE c.id = r.id AND c.host_id IS NOT DISTINCT FROM r."hostId"
           AND (c.finished_at IS NULL OR (c.state = 'expired' AND r.state = 'succeeded' AND c.kind = ANY($2::text[])))
         FOR UPDATE) c
       WHERE c.id = r.id
     )
     UPDATE commands c
     SET state = r.state, result = r.result, fault = r.fault, late = (c.finished_at IS NOT NULL), finished_at = now(), sealed_secrets = NULL
     FROM r WHERE c.id = r.id
     RETURNING ${ENDED}`,
    [JSON.stringify(reports), levelKinds],
  )
  return rows.map(toEnded)
}

/** Ends what is past its deadline, a bounded number at a time. */
export async function endExpired(tx: Tx, limit: number): Promise<EndedCommand[]> {
  const rows = await prepared<EndedRow>(
    tx,
    'commands_end_expired',
    `UPDATE commands c
     SET state = 'expired', finished_at = now(), sealed_secrets = NULL,
         fault = jsonb_build_object('type', 'expired', 'message', 'the host did not carry it out in its time')
     WHERE c.id IN (
       SELECT id FROM commands WHERE finished_at IS NULL AND deadline_at IS NOT NULL AND deadline_at < now()
       ORDER BY deadline_at LIMIT $1 FOR UPDATE SKIP LOCKED)
     RETURNING ${ENDED}`,
    [limit],
  )
  return rows.map(toEnded)
}

/** Ends one command by the plane's own decision; null when it has ended already. */
export async function endByPlane(
  tx: Tx,
  id: string,
  state: 'failed' | 'superseded',
  fault: Fault,
): Promise<EndedCommand | null> {
  const rows = await prepared<EndedRow>(
    tx,
    'command_end_by_plane',
    `UPDATE commands c SET state = $2, finished_at = now(), fault = $3, sealed_secrets = NULL WHERE c.id = $1 AND c.finished_at IS NULL RETURNING ${ENDED}`,
    [id, state, JSON.stringify(fault)],
  )
  return rows[0] ? toEnded(rows[0]) : null
}

/**
 * A command that is on its way, for which a later one of its subject stands by now: what its host still says of it changes
 * nothing. One that is being ended by somebody else at this moment ends so.
 */
export async function supersede(tx: Tx, id: string, by: string): Promise<void> {
  await prepared(
    tx,
    'command_supersede',
    `UPDATE commands SET state = 'superseded', superseded_by = $2, finished_at = now(), sealed_secrets = NULL
     WHERE id = (SELECT id FROM commands WHERE id = $1 AND finished_at IS NULL FOR UPDATE SKIP LOCKED)`,
    [id, by],
  )
}

/** Every command up to this number has ended. */
export async function floorOf(tx: Tx, hostId: string): Promise<number> {
  const [row] = await prepared<{ floor: number }>(
    tx,
    'commands_floor',
    `SELECT coalesce((SELECT min(seq) - 1 FROM commands WHERE host_id = $1 AND finished_at IS NULL),
                     (SELECT last_seq FROM host_sequences WHERE host_id = $1), 0) AS floor`,
    [hostId],
  )
  return row?.floor ?? 0
}

/**
 * The host has seen numbers that this database never gave: it was put back to an earlier state. Numbering goes on after
 * them; level commands that wait are numbered anew, once commands may have run in the lost history.
 * @returns the ids of the once commands that must be ended as unknown
 */
export async function renumberAfter(tx: Tx, hostId: string, seenSeq: number): Promise<string[]> {
  await tx.query('UPDATE host_sequences SET last_seq = greatest(last_seq, $2) WHERE host_id = $1', [hostId, seenSeq])
  const waiting: { id: string; kind: CommandKind }[] = await tx.query(
    'SELECT id, kind FROM commands WHERE host_id = $1 AND finished_at IS NULL AND seq <= $2 ORDER BY seq FOR UPDATE',
    [hostId, seenSeq],
  )
  const level = waiting.filter((c) => levelKinds.includes(c.kind))
  for (const { id } of level) {
    await tx.query(
      `WITH n AS (UPDATE host_sequences SET last_seq = last_seq + 1 WHERE host_id = $1 RETURNING last_seq)
       UPDATE commands SET seq = n.last_seq FROM n WHERE id = $2`,
      [hostId, id],
    )
  }
  return waiting.filter((c) => !levelKinds.includes(c.kind)).map((c) => c.id)
}

function toEnded(row: EndedRow): EndedCommand {
  const { host_id, project_id, ...rest } = row
  return { ...rest, hostId: host_id, projectId: project_id }
}
