import type { Socket } from 'node:net'
import type { ClientBase } from 'pg'

/**
 * Breaks a connection to the database that is silent for so long while it is in use: a server that hangs refuses nothing,
 * and its own limits on statements hang with it. 0: never.
 * @returns what the limit was
 */
export function breakWhenSilent(client: ClientBase, afterMs: number): number {
  // not in the types: the wire below the client
  const { stream } = (client as unknown as { readonly connection: { readonly stream: Socket } }).connection
  const before = stream.timeout ?? 0
  stream.removeAllListeners('timeout')
  stream.setTimeout(afterMs, () => stream.destroy(new Error(`Connection terminated: silent for ${afterMs} ms`)))
  return before
}
