import { connect } from 'node:net'

export interface Conversation {
  /** All that came, as Latin-1. */
  readonly received: string
  /** Status of each reply, in order; 100 among them. */
  readonly statuses: readonly number[]
  /** By the other side, before patience ended. */
  readonly closed: boolean
}

const PATIENCE_MS = 700

/** Sends bytes as they are, and reads until the other side closes or has been silent for a while. */
export function converse(baseUrl: string, bytes: string | Buffer, patienceMs = PATIENCE_MS): Promise<Conversation> {
  const { hostname, port } = new URL(baseUrl)
  return new Promise((resolve, reject) => {
    const socket = connect(Number(port), hostname, () => {
      socket.write(typeof bytes === 'string' ? Buffer.from(bytes, 'latin1') : bytes)
    })
    let received = ''
    const finish = (closed: boolean) => {
      socket.destroy()
      const statuses = [...received.matchAll(/HTTP\/1\.1 (\d{3}) /g)].map(([, status]) => Number(status))
      resolve({ received, statuses, closed })
    }
    socket.setTimeout(patienceMs, () => finish(false))
    socket.on('data', (chunk) => {
      received += chunk.toString('latin1')
    })
    socket.on('close', () => finish(true))
    socket.on('error', (error: Error & { code?: string }) => {
      // who closes on bytes that it has not read resets
      if (!['ECONNRESET', 'EPIPE'].includes(error.code ?? '')) reject(error)
    })
  })
}
