import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http'
import { listenPrivately } from '../host/private-socket.js'
import type { Logger } from '../logger.js'
import { faultCodes, XmlRpcFault } from './fault.js'
import { readCall } from './read-call.js'
import type { XmlRpcValue } from './value.js'
import { writeFault, writeReply } from './write-reply.js'

export type XmlRpcMethod = (params: readonly XmlRpcValue[]) => Promise<XmlRpcValue>
export type XmlRpcMethods = Readonly<Record<string, XmlRpcMethod>>

export interface XmlRpcLimits {
  readonly bodyBytes: number
  readonly callMs: number
  /** For the whole request to be there. */
  readonly requestMs: number
  /** Without a byte in either direction. */
  readonly idleMs: number
  readonly connections: number
  readonly callsAtOnce: number
}

export const defaultLimits: XmlRpcLimits = {
  bodyBytes: 256 * 1024,
  callMs: 30_000,
  requestMs: 10_000,
  idleMs: 60_000,
  connections: 64,
  callsAtOnce: 64,
}

export interface XmlRpcOptions {
  readonly methods: XmlRpcMethods
  readonly logger: Logger
  readonly limits?: Partial<XmlRpcLimits>
}

export interface XmlRpcServerOptions extends XmlRpcOptions {
  readonly directory: string
  /** Of the socket in the directory. */
  readonly name: string
}

export interface XmlRpcServer {
  readonly path: string
  close(): Promise<void>
}

const PATHS: readonly string[] = ['/', '/RPC2']
const TYPES = /^\s*(text|application)\/xml\s*(;|$)/i
const MAX_HEADER_BYTES = 8192

/** XML-RPC over HTTP/1.1 on a unix socket for the owner of this process alone. */
export async function serveXmlRpc(options: XmlRpcServerOptions): Promise<XmlRpcServer> {
  const server = createXmlRpcServer(options)
  const socket = await listenPrivately(server, options.directory, options.name)
  return {
    path: socket.path,
    close: async () => {
      await closeXmlRpcServer(server)
      await socket.remove()
    },
  }
}

/** The same, which listens nowhere yet. */
export function createXmlRpcServer(options: XmlRpcOptions): Server {
  const limits = { ...defaultLimits, ...options.limits }
  let calls = 0
  const server = createServer(
    {
      maxHeaderSize: MAX_HEADER_BYTES,
      requestTimeout: limits.requestMs,
      headersTimeout: limits.requestMs,
      connectionsCheckingInterval: Math.min(1000, limits.requestMs),
    },
    (request, response) => {
      const status = refusal(request, limits, calls)
      if (status !== null) return refuse(response, status)
      calls += 1
      void answer(request, response, options, limits).finally(() => {
        calls -= 1
      })
    },
  )
  server.maxConnections = limits.connections
  server.setTimeout(limits.idleMs)
  return server
}

/** Ends the connections that are open, too. */
export function closeXmlRpcServer(server: Server): Promise<void> {
  return new Promise((resolve) => {
    server.close(() => resolve())
    server.closeAllConnections()
  })
}

/** What is refused before the body is read. */
function refusal({ method, url, headers }: IncomingMessage, limits: XmlRpcLimits, calls: number): number | null {
  if (!PATHS.includes(url ?? '')) return 404
  if (method !== 'POST') return 405
  if (!TYPES.test(headers['content-type'] ?? '')) return 415
  if (Number(headers['content-length'] ?? 0) > limits.bodyBytes) return 413
  return calls >= limits.callsAtOnce ? 503 : null
}

/** What is left of the request is not read: the connection ends with the reply. */
function refuse(response: ServerResponse, status: number): void {
  if (response.headersSent || response.destroyed) return
  response.writeHead(status, { connection: 'close', 'content-length': 0, ...(status === 405 && { allow: 'POST' }) })
  response.end()
}

async function answer(
  request: IncomingMessage,
  response: ServerResponse,
  options: XmlRpcOptions,
  limits: XmlRpcLimits,
): Promise<void> {
  const body = await readBody(request, limits.bodyBytes).catch(() => undefined)
  if (body === undefined) return void response.destroy()
  if (body === null) return refuse(response, 413)
  const text = Buffer.from(await reply(body, options, limits.callMs))
  if (response.destroyed) return
  response.writeHead(200, { 'content-type': 'text/xml; charset=utf-8', 'content-length': text.length })
  response.end(text)
}

/** @returns null past the limit */
async function readBody(request: IncomingMessage, maxBytes: number): Promise<Buffer | null> {
  const chunks: Buffer[] = []
  let bytes = 0
  for await (const chunk of request as AsyncIterable<Buffer>) {
    bytes += chunk.length
    if (bytes > maxBytes) return null
    chunks.push(chunk)
  }
  return Buffer.concat(chunks)
}

async function reply(body: Buffer, { methods, logger }: XmlRpcOptions, callMs: number): Promise<string> {
  try {
    const { method, params } = readCall(body)
    const carryOut = Object.hasOwn(methods, method) ? methods[method] : undefined
    if (carryOut === undefined) throw new XmlRpcFault(faultCodes.methodNotFound, `there is no method ${method}`)
    return writeReply(await inTime(carryOut(params), callMs))
  } catch (error) {
    if (error instanceof XmlRpcFault) return writeFault(error)
    logger.error({ err: error }, 'an XML-RPC call broke')
    return writeFault(new XmlRpcFault(faultCodes.internal, 'the call broke: the log says how'))
  }
}

/** What is late goes on: whether it was done is seen by asking. */
async function inTime(work: Promise<XmlRpcValue>, callMs: number): Promise<XmlRpcValue> {
  let timer: NodeJS.Timeout | undefined
  const late = new Promise<never>((_, reject) => {
    const fault = new XmlRpcFault(faultCodes.late, `no answer within ${callMs} ms: the call may still be carried out`)
    timer = setTimeout(() => reject(fault), callMs)
  })
  try {
    return await Promise.race([work, late])
  } finally {
    clearTimeout(timer)
  }
}
