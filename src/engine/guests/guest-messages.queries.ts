import type { MessageDone } from '../../wire/guests/commands.js'
import type { Fault } from '../../wire/session.js'
import { rowOf } from '../balancing/part-tables.js'
import { prepared, type Tx } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import type { ShownMessage } from './guest-message.dto.js'
import type { GuestMessage } from './guest-message.entity.js'
import type { MessageState } from './guests.states.js'

/** A message and, once it was sent, what is left of the time that it then had: sent again, it has no more. */
export interface MessageInTime extends GuestMessage {
  readonly leftMs: number | null
}

/** JSON of a `MessageInTime`, of the message `m`. */
export const MESSAGE_IN_TIME = `to_jsonb(m) || jsonb_build_object('left_ms',
  (SELECT ceil(extract(epoch FROM c.deadline_at - now()) * 1000) FROM commands c WHERE c.id = m.command_id))`

export async function messagePinged(tx: Tx, id: string, commandId: string): Promise<void> {
  await prepared(
    tx,
    'guest_message_pinged',
    `UPDATE guest_messages SET pings = pings + 1, ping_command_id = $2, state = 'waiting' WHERE id = $1 AND ended_at IS NULL`,
    [id, commandId],
  )
}

/** After the pong that it follows. */
export async function messageSent(
  tx: Tx,
  id: string,
  commandId: string,
  { pongBootId, pongAt }: Pick<Guest, 'pongBootId' | 'pongAt'>,
): Promise<void> {
  await prepared(
    tx,
    'guest_message_sent',
    `UPDATE guest_messages SET state = 'sent', command_id = $2, boot_id = $3, pong_at = $4 WHERE id = $1 AND ended_at IS NULL`,
    [id, commandId, pongBootId, pongAt],
  )
}

export interface MessageEnd {
  readonly state: Exclude<MessageState, 'waiting' | 'sent'>
  readonly done: MessageDone | null
  readonly fault: Fault | null
}

export async function messageEnded(tx: Tx, id: string, { state, done, fault }: MessageEnd): Promise<void> {
  await prepared(
    tx,
    'guest_message_ended',
    `UPDATE guest_messages SET state = $2, exit_code = $3, output = $4, fault = $5, ended_at = now(),
       sealed_task = CASE WHEN kind = 'run' THEN NULL ELSE sealed_task END
     WHERE id = $1 AND ended_at IS NULL`,
    [id, state, done?.exitCode ?? null, done?.output ?? null, fault && JSON.stringify(fault)],
  )
}

/** Locks those messages of kind `run` that wait for one of these commands. @returns them by the id of that */
export async function lockRunsAwaiting(
  tx: Tx,
  commandIds: readonly string[],
): Promise<ReadonlyMap<string, MessageInTime>> {
  const rows = await prepared<{ awaited: string; message: Record<string, unknown> }>(
    tx,
    'guest_messages_lock_awaiting',
    `SELECT CASE m.state WHEN 'sent' THEN m.command_id ELSE m.ping_command_id END AS awaited, ${MESSAGE_IN_TIME} AS message
     FROM guest_messages m
     WHERE m.kind = 'run' AND m.ended_at IS NULL
       AND ((m.state = 'sent' AND m.command_id = ANY($1::uuid[])) OR (m.state = 'waiting' AND m.ping_command_id = ANY($1::uuid[])))
     ORDER BY m.id FOR NO KEY UPDATE`,
    [commandIds],
  )
  return new Map(rows.map(({ awaited, message }) => [awaited, rowOf<MessageInTime>(message)]))
}

/** Of those that have ended, the newest are kept for each guest; not what a rebuild says again. */
export async function forgetOldRuns(tx: Tx, guestId: string, most: number): Promise<void> {
  await prepared(
    tx,
    'guest_messages_forget_old',
    `DELETE FROM guest_messages WHERE id IN (
       SELECT id FROM guest_messages WHERE guest_id = $1 AND kind = 'run' AND ended_at IS NOT NULL
       ORDER BY created_at DESC, id DESC OFFSET $2)`,
    [guestId, most],
  )
}

/** Not ended, and nothing is heard of the command that they wait for any more. */
export async function endStuckRuns(tx: Tx, fault: Fault): Promise<void> {
  await prepared(
    tx,
    'guest_messages_stuck',
    `UPDATE guest_messages m SET state = 'failed', fault = $1, ended_at = now(), sealed_task = NULL
     WHERE m.kind = 'run' AND m.ended_at IS NULL AND m.created_at < now() - interval '30 seconds'
       AND NOT EXISTS (SELECT FROM commands c
                       WHERE c.id = CASE m.state WHEN 'sent' THEN m.command_id ELSE m.ping_command_id END
                         AND (c.finished_at IS NULL OR c.finished_at > now() - interval '30 seconds'))`,
    [JSON.stringify(fault)],
  )
}

/** How far the commands of these messages have come. */
export async function shownMessages(tx: Tx, messages: readonly GuestMessage[]): Promise<ShownMessage[]> {
  const ids = messages.flatMap(({ commandId, pingCommandId }) => [commandId, pingCommandId]).filter((id) => id !== null)
  const rows: { id: string; state: string }[] = await tx.query(
    'SELECT id, state FROM commands WHERE id = ANY($1::uuid[])',
    [ids],
  )
  const states = new Map(rows.map(({ id, state }) => [id, state]))
  return messages.map((message) => ({
    message,
    commandState: states.get(message.commandId ?? '') ?? null,
    pingState: states.get(message.pingCommandId ?? '') ?? null,
  }))
}
