import { chmod, chown, mkdir, open, rename, rm } from 'node:fs/promises'
import type { Server } from 'node:net'
import { join } from 'node:path'

export interface PrivateSocket {
  readonly path: string
  /** The server no longer listens: its name goes. */
  remove(): Promise<void>
}

/** Whom a socket is for, where that is not the owner of this process alone. */
export interface SocketAccess {
  readonly mode: number
  readonly owner: { readonly uid: number; readonly gid: number } | null
}

const PRIVATE: SocketAccess = { mode: 0o600, owner: null }

/**
 * Listens on a socket that nobody but those it is for could ever dial: it is bound in a directory that is closed to others,
 * and appears under its name once it has its permissions, 0600 by default. What a killed process left there is replaced.
 * The server is closed again where this fails.
 */
export async function listenPrivately(
  server: Server,
  directory: string,
  name: string,
  { mode, owner }: SocketAccess = PRIVATE,
): Promise<PrivateSocket> {
  const path = join(directory, name)
  const cradle = join(directory, `.${name}.new`)
  await rm(cradle, { recursive: true, force: true })
  await mkdir(cradle, { mode: 0o700 })
  // a short way in, however deep the directory lies: sockaddr_un holds 107 bytes
  const handle = await open(cradle, 'r')
  try {
    await listen(server, `/proc/self/fd/${handle.fd}/socket`)
    if (owner) await chown(join(cradle, 'socket'), owner.uid, owner.gid)
    await chmod(join(cradle, 'socket'), mode)
    await rename(join(cradle, 'socket'), path)
  } catch (error) {
    await new Promise((resolve) => server.close(resolve))
    await handle.close()
    throw error
  } finally {
    await rm(cradle, { recursive: true, force: true })
  }
  return {
    path,
    remove: async () => {
      await rm(path, { force: true })
      // until now the server's own clean-up must not meet another directory under this number
      await handle.close()
    },
  }
}

function listen(server: Server, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once('error', reject)
    server.listen({ path }, () => {
      server.off('error', reject)
      resolve()
    })
  })
}
