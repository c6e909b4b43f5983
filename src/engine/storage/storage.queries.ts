import type { HostFacts } from '../../wire/session.js'
import type { Host } from '../hosts/host.entity.js'
import { unlimitedProject } from '../identity/quotas.js'
import { prepared, type Tx } from '../platform/database.js'
import type { StorageConnection } from './storage-connection.entity.js'

const COLUMNS: Readonly<Record<keyof StorageConnection, string>> = {
  id: 'id',
  hostId: 'host_id',
  projectId: 'project_id',
  connectionId: 'connection_id',
  uri: 'uri',
  options: 'options',
  sealedCredentials: 'sealed_credentials',
  credentialNames: 'credential_names',
  storageId: 'storage_id',
  storageGeneration: 'storage_generation',
  target: 'target',
  targetId: 'target_id',
  targetSince: 'target_since',
  preexisting: 'preexisting',
  generation: 'generation',
  commandId: 'command_id',
  provisioningStatus: 'provisioning_status',
  operatingStatus: 'operating_status',
  fault: 'fault',
  faultAt: 'fault_at',
  observedFault: 'observed_fault',
  observedAt: 'observed_at',
  observedGeneration: 'observed_generation',
  connectedSince: 'connected_since',
  createdAt: 'created_at',
  updatedAt: 'updated_at',
}

/** The columns under the names of the entity, of the table that goes by `alias`. */
export const columnsOf = (alias: string): string =>
  Object.entries(COLUMNS)
    .map(([property, column]) => `${alias}.${column} AS "${property}"`)
    .join(', ')

export interface NewConnection {
  readonly hostId: string
  readonly projectId: string
  readonly connectionId: string
  readonly uri: string
  readonly options: Record<string, string>
  readonly sealedCredentials: string | null
  readonly credentialNames: readonly string[]
  /** The storage that it is for, and which intent of it. */
  readonly storage?: { readonly id: string; readonly generation: number }
  readonly commandId: string
}

/**
 * What an attempt to create found: no host, a host whose agent may not understand it, whether the id is free there, and the row
 * if it is new. No row for a free id: the project has a limit that was not claimed, or does not exist.
 */
export interface Creation {
  readonly host: Pick<Host, 'name' | 'agentId' | 'kinds' | 'capabilities' | 'facts'> | null
  readonly vacant: boolean
  readonly row: StorageConnection | null
}

interface HostColumns {
  name: string
  agent_id: string | null
  kinds: string[]
  capabilities: string[]
  facts: HostFacts | null
  vacant: boolean
}

/**
 * Registers an id that is free, in one statement: what stood for the one before it (its tombstone, a quarantined thing)
 * is lifted, and the generation goes on above it. Nothing happens when the id is in use, or where the project has a limit
 * that was not claimed.
 */
export async function tryCreate(tx: Tx, c: NewConnection, quota: 'unlimited' | 'claimed'): Promise<Creation> {
  const [found] = await prepared<HostColumns & Record<string, unknown>>(
    tx,
    'storage_try_create',
    `WITH host AS (
       SELECT id, name, agent_id, kinds, capabilities, facts FROM hosts WHERE id = $1
     ), vacant AS (
       SELECT id FROM host WHERE NOT EXISTS (SELECT FROM storage_connections WHERE host_id = $1 AND connection_id = $2)
     ), unlimited AS (
       ${unlimitedProject('$6', `ARRAY['connections']`)}
     ), turn AS (
       -- before the id is taken: whoever has the one waits for the other
       SELECT host_id FROM host_sequences WHERE host_id IN (SELECT id FROM vacant) FOR UPDATE
     ), free AS (
       SELECT host_id AS id FROM turn WHERE $7 OR EXISTS (SELECT FROM unlimited)
     ), lifted AS (
       DELETE FROM tombstones WHERE host_id = $1 AND subject = 'storage-connection/' || $2::text AND EXISTS (SELECT FROM free)
       RETURNING generation
     ), released AS (
       UPDATE quarantine SET state = 'released', ended_at = now()
       WHERE host_id = $1 AND subject = 'storage-connection/' || $2::text AND EXISTS (SELECT FROM free)
       RETURNING generation
     ), made AS (
       INSERT INTO storage_connections (host_id, connection_id, uri, options, generation, command_id, provisioning_status, project_id,
         sealed_credentials, credential_names, storage_id, storage_generation)
       SELECT $1, $2, $3, $4,
         greatest((SELECT generation FROM lifted), (SELECT generation FROM released), 0) + 1, $5, 'PENDING_CREATE', $6, $8, $9, $10, $11
       FROM free
       ON CONFLICT (host_id, connection_id) DO NOTHING
       RETURNING *
     )
     SELECT h.name, h.agent_id, h.kinds, h.capabilities, h.facts, EXISTS (SELECT FROM vacant) AS vacant, ${columnsOf('m')} FROM host h LEFT JOIN made m ON true`,
    [
      c.hostId,
      c.connectionId,
      c.uri,
      JSON.stringify(c.options),
      c.commandId,
      c.projectId,
      quota === 'claimed',
      c.sealedCredentials,
      c.credentialNames,
      c.storage?.id ?? null,
      c.storage?.generation ?? null,
    ],
  )
  if (!found) return { host: null, vacant: false, row: null }
  const { name, agent_id: agentId, kinds, capabilities, facts, vacant, ...row } = found
  // the columns are the entity's, by the table above
  return {
    host: { name, agentId, kinds, capabilities, facts },
    vacant,
    row: row.id === null ? null : (row as unknown as StorageConnection),
  }
}

/**
 * The row, locked until the transaction ends: whoever changes it reads it so.
 * @param projectIds of these projects alone; null: of any
 */
export async function lockRow(
  tx: Tx,
  hostId: string,
  connectionId: string,
  projectIds: readonly string[] | null,
): Promise<StorageConnection | null> {
  const [row] = await prepared<StorageConnection>(
    tx,
    'storage_lock',
    `SELECT ${columnsOf('s')} FROM storage_connections s
     WHERE s.host_id = $1 AND s.connection_id = $2 AND ($3::uuid[] IS NULL OR s.project_id = ANY($3)) FOR UPDATE`,
    [hostId, connectionId, projectIds],
  )
  return row ?? null
}

/**
 * The rows of what hosts tell, in `$1` as JSON, as a part of a statement: `row_id` and what is told. Locked in the order of
 * their ids, as everything does that locks many: two batches that meet wait, and neither for ever. Plan: index lookups for
 * each thing (docs/adr/0041).
 * @param told columns beside host, id and generation
 * @param where a condition on the row `s` and what is told of it, `d`
 */
export const lockedRows = (told: string, where: string): string =>
  `SELECT d.* FROM (
       SELECT s.id AS row_id, t.*
       FROM jsonb_to_recordset($1::jsonb) AS t(host uuid, id text, generation int, ${told})
       CROSS JOIN LATERAL (
         SELECT id FROM storage_connections WHERE host_id = t.host AND connection_id = t.id OFFSET 0) s
       ORDER BY s.id) d
     CROSS JOIN LATERAL (
       SELECT id FROM storage_connections s WHERE s.id = d.row_id AND ${where} FOR UPDATE) s
     WHERE s.id = d.row_id`

/** Writes the intent and its claim; the caller holds the row's lock. */
export async function writeIntent(tx: Tx, row: StorageConnection): Promise<StorageConnection> {
  const [written] = await prepared<StorageConnection>(
    tx,
    'storage_write_intent',
    `UPDATE storage_connections s
     SET uri = $2, options = $3, generation = $4, command_id = $5, provisioning_status = $6, fault = $7, fault_at = $8, updated_at = now(),
       sealed_credentials = $9, credential_names = $10, storage_generation = $11
     WHERE s.id = $1 RETURNING ${columnsOf('s')}`,
    [
      row.id,
      row.uri,
      JSON.stringify(row.options),
      row.generation,
      row.commandId,
      row.provisioningStatus,
      row.fault && JSON.stringify(row.fault),
      row.faultAt,
      row.sealedCredentials,
      row.credentialNames,
      row.storageGeneration,
    ],
  )
  if (!written) throw new Error(`storage connection ${row.id} went away under its lock`)
  return written
}
