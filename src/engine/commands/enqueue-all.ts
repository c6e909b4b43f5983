import type { CommandKind } from '../../wire/commands.js'
import { appendFrom } from '../events/events.service.js'
import { prepared, type Tx } from '../platform/database.js'
import { levelKinds } from './commands.queries.js'

/** One of many *level* commands of one kind to one host. Secrets are not sent so. */
export interface ManyCommand {
  readonly id: string
  readonly projectId: string | null
  readonly subject: string
  readonly generation: number
  readonly payload: object
}

/**
 * As `insertCommand`, for many at once: numbers, supersedes, inserts and tells in one statement, whatever their number.
 * @returns false when the host does not exist
 */
export async function insertCommands(
  tx: Tx,
  hostId: string,
  kind: CommandKind,
  commands: readonly ManyCommand[],
  { requestId, events }: { readonly requestId: string | null; readonly events: string },
): Promise<boolean> {
  const rows = await prepared(
    tx,
    'commands_insert_many',
    `WITH given AS (
       SELECT c.place, c.item ->> 'subject' AS subject, (c.item ->> 'id')::uuid AS id, (c.item ->> 'projectId')::uuid AS project_id,
         (c.item ->> 'generation')::int AS generation, c.item -> 'payload' AS payload
       FROM jsonb_array_elements($3::jsonb) WITH ORDINALITY AS c(item, place)
     ), numbered AS (
       UPDATE host_sequences SET last_seq = last_seq + jsonb_array_length($3::jsonb) WHERE host_id = $1
       RETURNING last_seq - jsonb_array_length($3::jsonb) AS base
     ), old AS (
       UPDATE commands SET state = 'superseded', finished_at = now(), sealed_secrets = NULL
       WHERE id IN (
         SELECT q.id FROM commands q JOIN given ON given.subject = q.subject
         WHERE q.host_id = $1 AND q.finished_at IS NULL AND q.state = 'queued' AND q.kind = ANY($4::text[])
         FOR UPDATE OF q SKIP LOCKED)
     ), told AS (
       ${appendFrom('$6')}
     )
     INSERT INTO commands (id, host_id, seq, kind, subject, generation, payload, request_id, project_id)
     SELECT given.id, $1, base + place, $2, subject, generation, payload, $5, project_id FROM numbered, given
     ORDER BY place RETURNING id`,
    [hostId, kind, JSON.stringify(commands), levelKinds, requestId, events],
  )
  return rows.length === commands.length
}
