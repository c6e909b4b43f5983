import { createHash } from 'node:crypto'
import { realpath } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { ExitError, exitCodes } from '../../config/exit.js'

/** Another engine has it. */
export class DataDirectoryInUse extends ExitError {
  constructor(path: string, cause: unknown) {
    super(exitCodes.directory, `data directory ${path} is in use by another engine`, { cause })
  }
}

/**
 * Keeps a second engine out of a data directory. An abstract socket named after the directory: the kernel frees it at
 * once when its process ends, however that was, and not while the process is merely stopped.
 */
export async function lockDataDirectory(dataDir: string): Promise<{ release(): Promise<void> }> {
  const path = await realpath(dataDir)
  const name = `keelson-data-${createHash('sha256').update(path).digest('hex').slice(0, 32)}`
  const server = createServer((socket) => socket.destroy())
  try {
    await listen(server, `\0${name}`)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error
    throw new DataDirectoryInUse(path, error)
  }
  server.unref()
  return { release: () => new Promise((resolve) => server.close(() => resolve())) }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => resolve())
  })
}
