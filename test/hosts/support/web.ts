import { createServer, type IncomingHttpHeaders, type RequestOptions, request, type Server } from 'node:http'
import { type AddressInfo, connect, createServer as createTcpServer, type Server as TcpServer } from 'node:net'

export interface Answer {
  readonly status: number
  readonly headers: IncomingHttpHeaders
  readonly body: string
}

/** A member of a pool that tells its name and what it was asked with. */
export class Web {
  private server: Server | null = null
  port = 0
  requests = 0
  /** What it says of itself when it is checked; it answers requests all the same. */
  isWell = true

  private constructor(
    readonly name: string,
    readonly address: string,
  ) {}

  static async start(name: string, address: string): Promise<Web> {
    const web = new Web(name, address)
    await web.start()
    return web
  }

  async start(): Promise<void> {
    const { name, address, port } = this
    const server = createServer((asked, answer) => {
      if (asked.url === '/health') answer.statusCode = this.isWell ? 200 : 503
      else this.requests++
      answer.setHeader('x-member', name)
      if (asked.url?.startsWith('/login')) answer.setHeader('set-cookie', 'SESSION=abc; Path=/')
      answer.end(JSON.stringify({ name, url: asked.url, headers: asked.headers }))
    })
    await new Promise<void>((resolve, reject) => {
      server.once('error', reject)
      server.listen(port, address, resolve)
    })
    this.server = server
    this.port = (server.address() as AddressInfo).port
  }

  async stop(): Promise<void> {
    const { server } = this
    this.server = null
    server?.closeAllConnections()
    if (server) await new Promise((resolve) => server.close(resolve))
  }
}

/** One request on a connection of its own, or on the agent's. Rejects where nobody answers. */
export function get(options: RequestOptions): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const asked = request({ agent: false, timeout: 10_000, ...options }, (answer) => {
      let body = ''
      answer.setEncoding('utf8')
      answer.on('data', (chunk: string) => {
        body += chunk
      })
      answer.once('end', () => resolve({ status: answer.statusCode!, headers: answer.headers, body }))
      answer.once('error', reject)
    })
    asked.once('timeout', () => asked.destroy(new Error('no answer')))
    asked.once('error', reject)
    asked.end()
  })
}

/** Says its name to whoever connects, and then what it is told. */
export async function startTcp(name: string, address: string): Promise<{ server: TcpServer; port: number }> {
  const server = createTcpServer((socket) => {
    socket.on('error', () => undefined)
    socket.write(`${name}\n`)
    socket.pipe(socket)
  })
  await new Promise<void>((resolve) => server.listen(0, address, resolve))
  return { server, port: (server.address() as AddressInfo).port }
}

/** What comes first over a connection. */
export function firstWords(host: string, port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect({ host, port })
    socket.setTimeout(10_000, () => socket.destroy(new Error('no answer')))
    socket.once('data', (words) => {
      socket.destroy()
      resolve(words.toString('utf8'))
    })
    socket.once('error', reject)
    socket.once('end', () => reject(new Error('ended without a word')))
  })
}
