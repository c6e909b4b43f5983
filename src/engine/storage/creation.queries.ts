import { type CommandInsert, parametersOf, queueing } from '../commands/commands.queries.js'
import { recordFrom } from '../identity/audit.queries.js'
import { unlimitedProject } from '../identity/quotas.js'
import { prepared, type Tx } from '../platform/database.js'
import { columnsOf, type NewConnection } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'
import { capabilityFor } from './storage-rules.js'

/** Generation of what nothing stood before. */
export const FIRST_GENERATION = 1
const OWN_PARAMETERS = 10
const SUBJECT = `'storage-connection/' || $2::text`

/**
 * All that asking for a new connection writes, as one statement that is a transaction by itself: row, command, events and
 * the audit log's row. Plan: index lookups alone.
 */
const CREATE_AT_ONCE = `WITH able AS (
     SELECT id FROM hosts
     WHERE id = $1 AND (agent_id IS NULL OR (kinds @> ARRAY['storage.manage'] AND capabilities @> ARRAY[$9::text]))
       AND NOT EXISTS (SELECT FROM storage_connections WHERE host_id = $1 AND connection_id = $2)
       AND NOT EXISTS (SELECT FROM tombstones WHERE host_id = $1 AND subject = ${SUBJECT})
       AND NOT EXISTS (SELECT FROM quarantine WHERE host_id = $1 AND subject = ${SUBJECT})
   ), unlimited AS (
     ${unlimitedProject('$6', `ARRAY['connections']`)}
   ), made AS (
     INSERT INTO storage_connections (host_id, connection_id, uri, options, generation, command_id, provisioning_status, project_id,
       sealed_credentials, credential_names)
     SELECT $1, $2, $3, $4, ${FIRST_GENERATION}, $5, 'PENDING_CREATE', $6, $7, $8 FROM able WHERE EXISTS (SELECT FROM unlimited)
     ON CONFLICT (host_id, connection_id) DO NOTHING
     RETURNING *
   ), ${queueing(OWN_PARAMETERS + 1, 'made')},
   audited AS (
     ${recordFrom(`$${OWN_PARAMETERS}`)} WHERE EXISTS (SELECT FROM made) RETURNING id
   )
   SELECT ${columnsOf('m')}, (SELECT id FROM audited) AS "auditId" FROM made m`

/** A connection as the statement makes it, for the command and events that go with it. */
export const madeOf = (c: NewConnection) =>
  ({ ...c, generation: FIRST_GENERATION, provisioningStatus: 'PENDING_CREATE' }) as const

/**
 * Registers an id where nothing stands in the way: an able host, a free id that nothing is left of, a project without a limit.
 * @param drafts what `recordFrom` takes
 * @returns null, and nothing has happened, in every other case: what it is, the statements of `tryCreate` find out
 */
export async function createAtOnce(
  tx: Tx,
  c: NewConnection,
  command: CommandInsert,
  drafts: string,
): Promise<{ readonly row: StorageConnection; readonly auditId: number | null } | null> {
  const [found] = await prepared<StorageConnection & { auditId: number | null }>(
    tx,
    'storage_create_at_once',
    CREATE_AT_ONCE,
    [
      c.hostId,
      c.connectionId,
      c.uri,
      JSON.stringify(c.options),
      c.commandId,
      c.projectId,
      c.sealedCredentials,
      c.credentialNames,
      capabilityFor(c.uri),
      drafts,
      ...parametersOf(command),
    ],
  )
  if (!found) return null
  const { auditId, ...row } = found
  return { row, auditId }
}
