import { type CommandInsert, parametersOf, queueing } from '../commands/commands.queries.js'
import { type Decided, encodeDrafts, recordFrom } from '../identity/audit.queries.js'
import { prepared, type Tx } from '../platform/database.js'
import { columnsOf, type NewConnection } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { capabilityFor, finerCapabilityFor } from './storage-rules.js'

/** Generation of what nothing stood before. */
export const FIRST_GENERATION = 1

/**
 * All that asking for new connections writes, as one statement that is a transaction by itself: rows, commands, events and
 * the audit log's rows. It waits for nobody: what somebody else has locked stands in the way. Plan: index lookups for each
 * connection (OFFSET 0 keeps the planner from joining whole tables instead).
 */
const CREATE_AT_ONCE = `WITH wanted AS (
     SELECT *, 'storage-connection/' || "connectionId" AS subject FROM jsonb_to_recordset($1::jsonb)
       AS w("hostId" uuid, "connectionId" text, uri text, options jsonb, "commandId" uuid, "projectId" uuid,
            "sealedCredentials" text, "credentialNames" text[], capability text, finer text)
   ), hosts_in_turn AS (
     SELECT s.host_id FROM host_sequences s WHERE s.host_id IN (SELECT "hostId" FROM wanted)
     ORDER BY s.host_id FOR UPDATE SKIP LOCKED
   ), unlimited AS (
     SELECT id FROM projects WHERE id IN (SELECT "projectId" FROM wanted) AND NOT limits ?| ARRAY['connections']
     FOR KEY SHARE SKIP LOCKED
   ), able AS (
     SELECT w.* FROM wanted w
     WHERE "hostId" IN (SELECT host_id FROM hosts_in_turn) AND "projectId" IN (SELECT id FROM unlimited)
       AND EXISTS (
         SELECT FROM hosts
         WHERE id = w."hostId"
           AND (agent_id IS NULL OR (kinds @> ARRAY['storage.manage'] AND capabilities @> ARRAY[w.capability]
            AND (w.finer IS NULL OR NOT coalesce(facts -> 'lacks', '[]') @> jsonb_build_array(jsonb_build_object('capability', w.finer)))))
         OFFSET 0)
       AND NOT EXISTS (SELECT FROM tombstones WHERE host_id = w."hostId" AND subject = w.subject OFFSET 0)
       AND NOT EXISTS (SELECT FROM quarantine WHERE host_id = w."hostId" AND subject = w.subject OFFSET 0)
   ), made AS (
     INSERT INTO storage_connections (host_id, connection_id, uri, options, generation, command_id, provisioning_status, project_id,
       sealed_credentials, credential_names)
     SELECT "hostId", "connectionId", uri, options, ${FIRST_GENERATION}, "commandId", 'PENDING_CREATE', "projectId",
       "sealedCredentials", "credentialNames" FROM able
     ON CONFLICT (host_id, connection_id) DO NOTHING
     RETURNING *
   ), ${queueing(3, 'c.id IN (SELECT command_id FROM made)')},
   audited AS (
     ${recordFrom('$2')} WHERE d."commandId" IN (SELECT command_id FROM made) ORDER BY d.place RETURNING id
   )
   SELECT ${columnsOf('m')}, (SELECT array_agg(id ORDER BY id) FROM audited) AS "auditIds" FROM made m`

/** A connection as the statement makes it, for the command and events that go with it. */
export const madeOf = (c: NewConnection) =>
  ({ ...c, generation: FIRST_GENERATION, provisioningStatus: 'PENDING_CREATE' }) as const

export interface CreationAtOnce {
  readonly connection: NewConnection
  readonly command: CommandInsert
  /** Of the audit log's row; null: there is to be none. */
  readonly draft: Decided | null
}

export interface CreatedAtOnce {
  readonly row: StorageConnection
  readonly auditId: number | null
}

/**
 * Registers ids where nothing stands in the way: an able host, a free id that nothing is left of, a project without a limit.
 * @returns for each a row, or null, and nothing has happened, in every other case: what it is, the statements of `tryCreate`
 * find out
 */
export async function createAtOnce(tx: Tx, wanted: readonly CreationAtOnce[]): Promise<(CreatedAtOnce | null)[]> {
  const found = await prepared<StorageConnection & { auditIds: number[] | null }>(
    tx,
    'storage_create_at_once',
    CREATE_AT_ONCE,
    [
      JSON.stringify(
        wanted.map(({ connection: c }) => ({
          ...c,
          capability: capabilityFor(c.uri),
          finer: finerCapabilityFor(c.uri),
        })),
      ),
      encodeDrafts(
        wanted.flatMap(({ connection: { commandId }, draft }, place) =>
          draft ? [{ ...draft, commandId, place }] : [],
        ),
      ),
      ...parametersOf(wanted.map(({ command }) => command)),
    ],
  )
  const made = new Map(found.map(({ auditIds: _, ...row }) => [row.commandId, row]))
  // written in this order
  const auditIds = [...(found[0]?.auditIds ?? [])]
  return wanted.map(({ connection, draft }) => {
    const row = made.get(connection.commandId)
    return row ? { row, auditId: draft ? (auditIds.shift() ?? null) : null } : null
  })
}
