import { once } from 'node:events'
import { type ConnectionOptions, connect, type TLSSocket } from 'node:tls'

const HASH = 0x23
const ZERO = 0x30

/** `<length>#<json>`; what is written here is ASCII, so that its length is its bytes. */
export const frame = (message: object): Buffer => {
  const json = JSON.stringify(message)
  return Buffer.from(`${json.length}#${json}`)
}

/**
 * A TLS socket that finds the ends of frames and nothing more, so that a client costs as little as it can: the server
 * is what is measured.
 */
export class FrameConnection {
  onFrame: (content: Buffer) => void = () => {}
  private left: Buffer = Buffer.alloc(0)

  private constructor(readonly socket: TLSSocket) {
    socket.setNoDelay(true)
    socket.on('error', () => {})
    socket.on('data', (chunk) => this.take(chunk))
  }

  static async dial(port: number, tls: ConnectionOptions): Promise<FrameConnection> {
    const socket = connect({ ...tls, port, host: '127.0.0.1' })
    await once(socket, 'secureConnect')
    return new FrameConnection(socket)
  }

  write(bytes: Buffer): void {
    this.socket.write(bytes)
  }

  private take(chunk: Buffer): void {
    let bytes = this.left.length > 0 ? Buffer.concat([this.left, chunk]) : chunk
    for (;;) {
      const hash = bytes.indexOf(HASH)
      if (hash < 0) break
      let length = 0
      for (let i = 0; i < hash; i++) length = length * 10 + (bytes[i] ?? ZERO) - ZERO
      const end = hash + 1 + length
      if (bytes.length < end) break
      this.onFrame(bytes.subarray(hash + 1, end))
      bytes = bytes.subarray(end)
    }
    this.left = bytes
  }
}
