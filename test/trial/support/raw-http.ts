import { connect } from 'node:net'

export interface RawReply {
  /** 0: the connection ended without one. */
  readonly status: number
  readonly contentType: string
  readonly body: string
}

const PATIENCE_MS = 20_000

/** Bytes as they are, for requests that no client would make. Reads until the reply is whole or the connection ends. */
export function sendRaw(address: string, head: readonly string[], body: Uint8Array): Promise<RawReply> {
  const [host, port] = address.split(':')
  return new Promise((resolve) => {
    const socket = connect({ host, port: Number(port) })
    let received = Buffer.alloc(0)
    const finish = () => {
      socket.destroy()
      resolve(parse(received))
    }
    socket.setTimeout(PATIENCE_MS, finish)
    socket.on('error', () => undefined)
    socket.on('close', finish)
    socket.on('data', (chunk) => {
      received = Buffer.concat([received, chunk])
      if (isWhole(received)) finish()
    })
    socket.on('connect', () => {
      socket.write(`${head.join('\r\n')}\r\n\r\n`)
      socket.write(body)
    })
  })
}

function isWhole(received: Buffer): boolean {
  const end = received.indexOf('\r\n\r\n')
  const length = /^content-length: (\d+)/im.exec(received.toString('latin1', 0, Math.max(end, 0)))?.[1]
  return end >= 0 && length !== undefined && received.length >= end + 4 + Number(length)
}

function parse(received: Buffer): RawReply {
  const text = received.toString('utf8')
  const end = text.indexOf('\r\n\r\n')
  const head = text.slice(0, end)
  return {
    status: Number(/^HTTP\/1\.1 (\d{3})/.exec(head)?.[1] ?? 0),
    contentType: /^content-type: (\S+)/im.exec(head)?.[1] ?? '',
    body: text.slice(end + 4),
  }
}
