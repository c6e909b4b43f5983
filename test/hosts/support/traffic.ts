import { createSocket, type Socket as Datagrams } from 'node:dgram'
import { once } from 'node:events'
import { createServer as createHttp, type Server as HttpServer, type IncomingMessage, request } from 'node:http'
import { type AddressInfo, connect, createServer as createTcp, type Server, type Socket } from 'node:net'
import { connect as connectTls, type PeerCertificate } from 'node:tls'

const PATIENCE_MS = 10_000

/** A member: says its name to whoever asks. */
export class Backend {
  /** Requests that were no checks. */
  requests: IncomingMessage[] = []
  /** Requests of `/health`. */
  checks = 0
  /** The code of its answers to `/health`; `silent`: it gives none. */
  health: number | 'silent' = 200
  private server!: HttpServer | Server
  private readonly sockets = new Set<Socket>()
  port = 0

  private constructor(
    readonly name: string,
    private readonly kind: 'http' | 'tcp',
  ) {}

  static async start(name: string, kind: 'http' | 'tcp' = 'http'): Promise<Backend> {
    const backend = new Backend(name, kind)
    await backend.listen()
    return backend
  }

  /** At the port that it had before. */
  async listen(): Promise<void> {
    this.server =
      this.kind === 'http'
        ? createHttp((asked, answer) => {
            if (asked.url === '/health') {
              this.checks += 1
              if (this.health === 'silent') return
              answer.statusCode = this.health
              return answer.end()
            }
            this.requests.push(asked)
            answer.setHeader('Server', `server of ${this.name}`)
            answer.end(this.name)
          })
        : createTcp((socket) => socket.on('error', () => undefined).write(`${this.name}\n`))
    this.server.on('connection', (socket: Socket) => {
      this.sockets.add(socket)
      socket.once('close', () => this.sockets.delete(socket))
    })
    this.server.listen(this.port, '127.0.0.1')
    await once(this.server, 'listening')
    this.port = (this.server.address() as AddressInfo).port
  }

  /** Nobody listens at its port any more, and nobody has a connection. */
  async stop(): Promise<void> {
    if (!this.server.listening) return
    this.server.close()
    for (const socket of this.sockets) socket.destroy()
    await once(this.server, 'close')
  }
}

export interface Answer {
  readonly status: number
  readonly body: string
  readonly headers: IncomingMessage['headers']
}

export interface Asked {
  readonly host: string
  readonly port: number
  readonly path?: string
  readonly headers?: Readonly<Record<string, string>>
  readonly from?: string
}

/** One request over a connection of its own. Rejects when the connection is refused or closed without an answer. */
export function ask({ host, port, path = '/', headers = {}, from }: Asked): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        host,
        port,
        path,
        headers,
        agent: false,
        timeout: PATIENCE_MS,
        ...(from !== undefined && { localAddress: from }),
      },
      (answer) => {
        let body = ''
        answer.setEncoding('utf8').on('data', (text: string) => {
          body += text
        })
        answer.once('end', () => resolve({ status: answer.statusCode ?? 0, body, headers: answer.headers }))
        answer.once('error', reject)
      },
    )
    asked.once('timeout', () => asked.destroy(new Error('no answer in time')))
    asked.once('error', reject)
    asked.end()
  })
}

/** The first line that comes by itself. Rejects with the code of the error, or `closed`. */
export async function firstLine(host: string, port: number, from?: string): Promise<{ line: string; socket: Socket }> {
  const socket = connect({ host, port, ...(from !== undefined && { localAddress: from }) })
  const line = await new Promise<string>((resolve, reject) => {
    socket.setTimeout(PATIENCE_MS, () => socket.destroy(new Error('no word in time')))
    socket.once('data', (data) => resolve(data.toString().trim()))
    socket.once('error', reject)
    socket.once('close', () => reject(new Error('closed')))
  })
  socket.on('error', () => undefined)
  return { line, socket }
}

/** The certificate that a server shows to who asks for that name. */
export async function shownCertificate(host: string, port: number, servername?: string): Promise<PeerCertificate> {
  const socket = connectTls({ host, port, rejectUnauthorized: false, ...(servername !== undefined && { servername }) })
  try {
    await once(socket, 'secureConnect', { signal: AbortSignal.timeout(PATIENCE_MS) })
    return socket.getPeerCertificate()
  } finally {
    socket.destroy()
  }
}

/** Answers each datagram with its name. */
export async function startEcho(name: string): Promise<{ port: number; stop: () => void }> {
  const socket = createSocket('udp4')
  socket.on('message', (text, { port, address }) => socket.send(`${name} ${text.toString()}`, port, address))
  socket.bind(0, '127.0.0.1')
  await once(socket, 'listening')
  return { port: socket.address().port, stop: () => socket.close() }
}

/** What is answered to one datagram. */
export async function askDatagram(host: string, port: number, text: string): Promise<string> {
  const socket: Datagrams = createSocket('udp4')
  try {
    socket.connect(port, host)
    await once(socket, 'connect')
    socket.send(text)
    const [answer] = (await once(socket, 'message', { signal: AbortSignal.timeout(2000) })) as [Buffer]
    return answer.toString()
  } finally {
    socket.close()
  }
}
