import type { MessageDone } from '../../wire/guests/commands.js'
import type { Fault } from '../../wire/session.js'
import { prepared, type Tx } from '../platform/database.js'
import type { Guest } from './guest.entity.js'
import type { ShownMessage } from './guest-message.dto.js'
import type { GuestMessage } from './guest-message.entity.js'
import type { MessageState } from './guests.states.js'

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
    `UPDATE guest_messages SET state = $2, exit_code = $3, output = $4, fault = $5, ended_at = now()
     WHERE id = $1 AND ended_at IS NULL`,
    [id, state, done?.exitCode ?? null, done?.output ?? null, fault && JSON.stringify(fault)],
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
