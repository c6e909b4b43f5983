import { open } from 'node:fs/promises'
import { join } from 'node:path'

const NAME = 'agent.sock'
/** sockaddr_un holds 107 bytes. */
const MAX_PATH_BYTES = 107

export interface ControlPath {
  readonly path: string
  close(): Promise<void>
}

/** The socket's path, or a short way to it where the state directory lies too deep for a socket address. */
export async function openControlPath(stateDir: string): Promise<ControlPath> {
  const path = join(stateDir, NAME)
  if (Buffer.byteLength(path) <= MAX_PATH_BYTES) return { path, close: async () => undefined }
  const directory = await open(stateDir, 'r')
  return { path: `/proc/self/fd/${directory.fd}/${NAME}`, close: () => directory.close() }
}
