import { createHash } from 'node:crypto'
import { mkdir, realpath } from 'node:fs/promises'
import { createServer, type Server } from 'node:net'
import { dirname, resolve } from 'node:path'
import { StateDirectoryError } from './state-error.js'

export interface StateLock {
  /** The real path of the state directory. */
  readonly stateDir: string
  release(): Promise<void>
}

/**
 * One agent, or one broker, per state directory. The lock is a name in the kernel's abstract socket namespace, bound by the process: it
 * holds while the process is stopped, and is free in the moment in which it dies. Agents in different network namespaces
 * do not see each other's; the control socket in the directory itself tells those apart.
 * @throws StateDirectoryError
 */
export async function lockStateDirectory(path: string, program: 'agent' | 'broker' = 'agent'): Promise<StateLock> {
  const stateDir = await makeDirectory(path)
  const hash = createHash('sha256').update(stateDir).digest('hex').slice(0, 32)
  const server = createServer((socket) => socket.destroy())
  await bind(server, `\0keelson-${program}-${hash}`, stateDir, program)
  server.unref()
  return { stateDir, release: () => new Promise((done) => server.close(() => done())) }
}

async function makeDirectory(path: string): Promise<string> {
  try {
    await makeWithParents(resolve(path))
    return await realpath(path)
  } catch (error) {
    const { message } = error as Error
    throw new StateDirectoryError(`the state directory ${path} cannot be used: ${message}`, { cause: error })
  }
}

/** Not mkdir's `recursive`: Node's tries for ever where a parent is there and takes no directory, as /proc does. */
async function makeWithParents(path: string): Promise<void> {
  try {
    await mkdir(path, { mode: 0o700 })
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException
    if (code === 'EEXIST') return
    if (code !== 'ENOENT' || dirname(path) === path) throw error
    await makeWithParents(dirname(path))
    await mkdir(path, { mode: 0o700 })
  }
}

function bind(server: Server, name: string, stateDir: string, program: string): Promise<void> {
  return new Promise((listening, reject) => {
    server.once('error', (error: NodeJS.ErrnoException) => {
      const inUse = error.code === 'EADDRINUSE'
      const message = inUse ? `another ${program} runs on it` : error.message
      reject(new StateDirectoryError(`the state directory ${stateDir} cannot be locked: ${message}`, { cause: error }))
    })
    server.listen({ path: name }, listening)
  })
}
