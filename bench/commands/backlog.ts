import type { BenchDatabase } from '../database.js'

export interface Backlog {
  readonly hosts: number
  readonly commandsPerHost: number
  /** Part of every connection's id: the rounds do not meet. */
  readonly round: string
}

/**
 * Rows and their commands for every host that is Up, as the service would have written them, in one transaction: all of
 * it becomes visible at once. The subjects are new to the hosts.
 */
export async function writeBacklog(database: BenchDatabase, { commandsPerHost, round }: Backlog): Promise<void> {
  await database.rows(
    `WITH numbered AS (
       UPDATE host_sequences s SET last_seq = last_seq + $1 FROM hosts h
       WHERE h.id = s.host_id AND h.status = 'Up' RETURNING s.host_id, s.last_seq - $1 AS base
     ), wanted AS MATERIALIZED (
       SELECT host_id, base + i AS seq, $2::text || '-' || i AS connection_id, gen_random_uuid() AS command_id,
         'local:///srv/' || $2::text || '-' || i AS uri
       FROM numbered CROSS JOIN generate_series(1, $1::int) i
     ), rows AS (
       INSERT INTO storage_connections (host_id, connection_id, uri, command_id, provisioning_status)
       SELECT host_id, connection_id, uri, command_id, 'PENDING_CREATE' FROM wanted
     )
     INSERT INTO commands (id, host_id, seq, kind, subject, generation, payload)
     SELECT command_id, host_id, seq, 'storage.manage', 'storage-connection/' || connection_id, 1,
       jsonb_build_object('connectionId', connection_id, 'uri', uri, 'options', jsonb_build_object())
     FROM wanted`,
    [commandsPerHost, round],
  )
  await database.rows('ANALYZE commands, storage_connections, host_sequences')
}

/** The engine looks at all of its hosts, as after a connection for notifications was made anew. */
export async function wakeAll(database: BenchDatabase): Promise<void> {
  await database.rows(`SELECT pg_notify('keelson_commands', '*')`)
}

/** Plan: the partial index over what has not ended. */
export function unfinished(database: BenchDatabase): Promise<number> {
  return database.number('SELECT count(*) FROM commands WHERE finished_at IS NULL')
}

/** @throws unless each command succeeded, each row is ACTIVE, and each has exactly one event that says so */
export async function requireWhole(database: BenchDatabase, { hosts, commandsPerHost, round }: Backlog): Promise<void> {
  const [seen] = await database.rows<{ succeeded: number; active: number; events: number }>(
    `SELECT (SELECT count(*)::int FROM commands WHERE state = 'succeeded' AND subject LIKE 'storage-connection/' || $1 || '-%') AS succeeded,
       (SELECT count(*)::int FROM storage_connections WHERE provisioning_status = 'ACTIVE' AND connection_id LIKE $1 || '-%') AS active,
       (SELECT count(*)::int FROM events
        WHERE type = 'storage.connection.managed' AND payload->>'connectionId' LIKE $1 || '-%') AS events`,
    [round],
  )
  const whole = hosts * commandsPerHost
  if (seen?.succeeded !== whole || seen.active !== whole || seen.events !== whole) {
    throw new Error(`of ${whole} commands: ${JSON.stringify(seen)}`)
  }
}
