import { connect, createServer, type Server, type Socket } from 'node:net'

export interface RestoreOptions {
  /** Accept connections and pass nothing on. */
  readonly mute?: boolean
}

/** A way to a server that can be cut and restored, as a network or a restart would. */
export interface TcpProxy {
  /** The target's address with the proxy in its place. */
  readonly url: string
  cut(): Promise<void>
  restore(options?: RestoreOptions): Promise<void>
}

export async function startTcpProxy(targetUrl: string): Promise<TcpProxy> {
  const target = new URL(targetUrl)
  const open = new Set<Socket>()
  let server: Server | undefined
  let port = 0

  const remember = (socket: Socket): Socket => {
    open.add(socket)
    return socket.on('close', () => open.delete(socket)).on('error', () => socket.destroy())
  }

  const listen = async (mute: boolean): Promise<void> => {
    const listening = createServer((socket) => {
      remember(socket)
      if (mute) return
      const upstream = remember(connect(Number(target.port), target.hostname))
      socket.pipe(upstream).pipe(socket)
      socket.on('close', () => upstream.destroy())
      upstream.on('close', () => socket.destroy())
    })
    await new Promise<void>((resolve, reject) => listening.once('error', reject).listen(port, '127.0.0.1', resolve))
    const address = listening.address()
    port = typeof address === 'object' && address ? address.port : 0
    server = listening
  }

  await listen(false)
  const url = new URL(targetUrl)
  url.host = `127.0.0.1:${port}`
  return {
    url: url.href,
    async cut() {
      const closed = new Promise<void>((resolve) => (server ? server.close(() => resolve()) : resolve()))
      for (const socket of open) socket.destroy()
      await closed
      server = undefined
    },
    restore: ({ mute = false } = {}) => listen(mute),
  }
}
