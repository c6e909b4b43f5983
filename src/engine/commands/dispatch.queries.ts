import { prepared, type Tx, UNFLUSHED } from '../platform/database.js'

/** Who may be sent how much: a host whose session this replica holds, the session's epoch, and the room in its window. */
export interface DispatchRoom {
  readonly hostId: string
  readonly epoch: number
  readonly room: number
}

export interface DispatchedRow {
  id: string
  host_id: string
  seq: number
  kind: string
  subject: string
  generation: number
  payload: object
  sealed_secrets: string | null
  epoch: number
  permitted: boolean
  request_id: string | null
  remaining_ms: number | null
}

/**
 * Claims what is queued for many hosts at once; a host whose epoch has moved on gives nothing. A claim that is forgotten is
 * made again: an agent runs a command once however often it is sent. Plan: a nested loop over `ix_commands_unfinished`, one
 * short range a host.
 */
export async function claimQueued(tx: Tx, rooms: readonly DispatchRoom[]): Promise<DispatchedRow[]> {
  return prepared<DispatchedRow>(
    tx,
    'commands_claim',
    `WITH ${UNFLUSHED}, due AS (
       SELECT q.id, s.epoch
       FROM unflushed CROSS JOIN unnest($1::uuid[], $2::bigint[], $3::int[]) AS s(host_id, epoch, room)
       JOIN hosts h ON h.id = s.host_id AND h.session_epoch = s.epoch
       CROSS JOIN LATERAL (
         SELECT c.id FROM commands c
         WHERE c.host_id = s.host_id AND c.finished_at IS NULL AND c.state = 'queued'
         ORDER BY c.seq LIMIT s.room FOR UPDATE SKIP LOCKED) q
     )
     UPDATE commands c
     SET state = 'dispatched', epoch = due.epoch, attempts = c.attempts + 1, dispatched_at = now()
     FROM due WHERE c.id = due.id
     RETURNING c.id, c.host_id, c.seq, c.kind, c.subject, c.generation, c.payload, c.sealed_secrets, c.epoch, c.permitted, c.request_id,
       (extract(epoch FROM c.deadline_at - clock_timestamp()) * 1000)::float8 AS remaining_ms`,
    [rooms.map((r) => r.hostId), rooms.map((r) => r.epoch), rooms.map((r) => r.room)],
  )
}

/** Which of these hosts have something queued: the net under lost wake-ups. */
export async function hostsWithQueued(tx: Tx, hostIds: readonly string[]): Promise<string[]> {
  const rows = await prepared<{ host_id: string }>(
    tx,
    'commands_hosts_with_queued',
    `SELECT DISTINCT host_id FROM commands WHERE finished_at IS NULL AND state = 'queued' AND host_id = ANY($1::uuid[])`,
    [hostIds],
  )
  return rows.map((row) => row.host_id)
}

/** What was claimed some time ago for these hosts: it should be in the hands of their sessions. */
export async function dispatchedLong(
  tx: Tx,
  hostIds: readonly string[],
): Promise<{ id: string; host_id: string; epoch: number }[]> {
  return prepared(
    tx,
    'commands_dispatched_long',
    `SELECT id, host_id, epoch FROM commands
     WHERE finished_at IS NULL AND state IN ('dispatched', 'running') AND host_id = ANY($1::uuid[])
       AND dispatched_at < now() - interval '5 seconds'`,
    [hostIds],
  )
}

/** Puts back what was claimed and never sent; unless another session has claimed it meanwhile. */
export async function requeue(tx: Tx, rows: readonly { id: string; epoch: number }[]): Promise<void> {
  await prepared(
    tx,
    'commands_requeue',
    `UPDATE commands c SET state = 'queued' FROM unnest($1::uuid[], $2::bigint[]) AS s(id, epoch)
     WHERE c.id = s.id AND c.epoch = s.epoch AND c.finished_at IS NULL AND c.state IN ('dispatched', 'running')`,
    [rows.map((r) => r.id), rows.map((r) => r.epoch)],
  )
}

/** `fenced`: the session that asks is not the host's any more. */
export type PermitAnswer = 'granted' | 'ended' | 'fenced'

/**
 * The start permit of a *once* command: moves it to running by compare-and-set. Asking again is answered alike; one that
 * has ended, or is past its deadline, is never begun. One that a broken session put back into the queue is still in its
 * agent's hands, which may ask before it is sent again.
 */
export async function grantPermit(tx: Tx, hostId: string, epoch: number, commandId: string): Promise<PermitAnswer> {
  const [row] = await prepared<{ granted: boolean; current: boolean }>(
    tx,
    'command_permit',
    `WITH granted AS (
       UPDATE commands c SET state = 'running', permitted = true
       FROM hosts h
       WHERE c.id = $1 AND c.host_id = $2 AND h.id = c.host_id AND h.session_epoch = $3
         AND c.finished_at IS NULL AND c.state IN ('queued', 'dispatched', 'running')
         AND (c.deadline_at IS NULL OR c.deadline_at > now())
       RETURNING c.id)
     SELECT EXISTS (SELECT FROM granted) AS granted,
       EXISTS (SELECT FROM hosts WHERE id = $2 AND session_epoch = $3) AS current`,
    [commandId, hostId, epoch],
  )
  if (row?.granted) return 'granted'
  return row?.current ? 'ended' : 'fenced'
}
