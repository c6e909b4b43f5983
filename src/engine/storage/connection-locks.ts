import { type Caller, requireInProject, visibleProjects } from '../platform/caller.js'
import type { Tx } from '../platform/database.js'
import { notHere } from './connection-errors.js'
import { lockRow } from './storage.queries.js'
import type { StorageConnection } from './storage-connection.entity.js'

/** Of another project's row no lock is taken, and nothing is waited for. */
export async function lockForChange(
  tx: Tx,
  caller: Caller,
  hostId: string,
  connectionId: string,
): Promise<StorageConnection> {
  const row = await lockRow(tx, hostId, connectionId, visibleProjects(caller))
  if (!row) throw notHere(hostId, connectionId)
  requireInProject(caller, row.projectId, 'operator', connectionId)
  return row
}

/** What a refusal tells of the storage behind a row. */
export async function storageOf(tx: Tx, id: string): Promise<{ id: string; name: string }> {
  const [storage] = await tx.query('SELECT id, name FROM storages WHERE id = $1', [id])
  return storage
}
