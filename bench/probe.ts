import { subscribe } from 'node:diagnostics_channel'
import type { Socket } from 'node:net'
import { answerQuestions } from './questions.js'

/**
 * Loaded into a measured engine before its own code (`--import`, with `--expose-gc`): tells what only the process itself
 * can know. It works when it is asked, and keeps no more than a set of the open sockets.
 */
const sockets = new Set<Socket>()
subscribe('net.server.socket', (message) => {
  const { socket } = message as { socket: Socket }
  sockets.add(socket)
  socket.once('close', () => sockets.delete(socket))
})

const COLLECTIONS = 3

export interface ProbedMemory {
  readonly rssBytes: number
  readonly heapUsedBytes: number
  readonly externalBytes: number
}

answerQuestions(
  {
    cpu: () => process.cpuUsage(),
    /** Bytes that the open connections to these ports have sent to this process. */
    bytesRead: (port: number) => {
      let bytes = 0
      for (const socket of sockets) if (socket.localPort === port) bytes += socket.bytesRead
      return bytes
    },
    /** After full collections: what is garbage does not count, what the allocator keeps does. */
    memory: async (): Promise<ProbedMemory> => {
      for (let i = 0; i < COLLECTIONS; i++) {
        globalThis.gc?.()
        await new Promise((resolve) => setImmediate(resolve))
      }
      const { rss, heapUsed, external } = process.memoryUsage()
      return { rssBytes: rss, heapUsedBytes: heapUsed, externalBytes: external }
    },
  },
  () => process.kill(process.pid, 'SIGTERM'),
)
process.channel?.unref()
