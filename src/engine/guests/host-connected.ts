import type { Tx } from '../platform/database.js'

/** Whether the host has a session at this moment. */
export async function isConnected(tx: Tx, hostId: string): Promise<boolean> {
  const [row]: { connected: boolean }[] = await tx.query('SELECT connected FROM hosts WHERE id = $1', [hostId])
  return row?.connected ?? false
}
