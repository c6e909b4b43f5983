import { STATUS_CODES } from 'node:http'
import type { Socket } from 'node:net'
import type { SecureContextOptions } from 'node:tls'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyReply, FastifyRequest } from 'fastify'
import { runWith } from '../../log/context.js'
import type { EngineConfig } from '../config.js'
import { rememberRoutes } from './http-routes.js'
import { parseJsonBody } from './json-body.js'
import { READER_PATH } from './openapi-reader.js'
import { PROBLEM_MEDIA_TYPE, problemReply, sendProblem } from './problem.js'
import { type ProblemType, problems, problemUrn } from './problems.js'
import { requestIdOf } from './request-id.js'

export type HttpLimits = Pick<EngineConfig, 'httpBodyLimitBytes' | 'requestTimeoutMs' | 'drainTimeoutMs'>

const HEADERS_TIMEOUT_MS = 10_000
const HANDSHAKE_TIMEOUT_MS = 5_000
const KEEP_ALIVE_TIMEOUT_MS = 72_000
const CHECK_CONNECTIONS_MS = 1_000
const MAX_HEADER_BYTES = 16 * 1024
const MAX_PARAMETER_LENGTH = 512
const MAX_CONNECTIONS = 10_000
/** Of a body that is too large: read and dropped, so that its sender hears why. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024

class JsonAdapter extends FastifyAdapter {
  drainTimeoutMs = 0

  /** Our one kind of body: Nest must not add forms, whatever the application's options say. */
  override registerParserMiddleware(): void {}

  /** Requests under way are finished, and a caller that does not read its reply holds nobody up for ever. */
  override async close(): Promise<void> {
    const impatience = setTimeout(() => this.getInstance().server.closeAllConnections(), this.drainTimeoutMs)
    await super.close().finally(() => clearTimeout(impatience))
  }
}

export interface HttpTls {
  readonly options: SecureContextOptions
  /** The certificate is one that browsers know: from then on they shall not come without TLS. */
  readonly strict: boolean
}

/**
 * The HTTP side with its limits, before any route: what is refused here is a problem document as well.
 * @param tls null: plain HTTP
 */
export function createHttpAdapter(limits: HttpLimits, tls: HttpTls | null = null): FastifyAdapter {
  const http = {
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, limits.requestTimeoutMs),
    connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
  }
  const adapter = new JsonAdapter({
    routerOptions: { ignoreTrailingSlash: true, caseSensitive: true, maxParamLength: MAX_PARAMETER_LENGTH },
    bodyLimit: limits.httpBodyLimitBytes,
    requestTimeout: limits.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    // requests on connections that are still open while draining are served; new ones are not accepted
    return503OnClosing: false,
    ...(tls ? { https: { ...http, ...tls.options, handshakeTimeout: HANDSHAKE_TIMEOUT_MS } } : { http }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    clientErrorHandler: answerBrokenRequest,
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      stamp(request, reply)
      sendProblem(reply, problemReply(error, request))
    },
  })
  adapter.drainTimeoutMs = limits.drainTimeoutMs
  const server = adapter.getInstance()
  server.server.maxConnections = MAX_CONNECTIONS
  rememberRoutes(server)
  server.removeAllContentTypeParsers()
  server.addContentTypeParser('application/json', { parseAs: 'buffer' }, (request, body: Buffer, done) => {
    // done, and not a throw: Fastify answers and closes, as there may be more to come
    try {
      refuseOtherCharsets(request.headers['content-type'])
      refuseEncodings(request.headers['content-encoding'])
      done(null, parseJsonBody(body))
    } catch (error) {
      done(error as Error)
    }
  })
  server.addHook('onRequest', (request, reply, done) => {
    stamp(request, reply)
    if (tls?.strict) reply.raw.setHeader('strict-transport-security', HSTS)
    const fault = faultOfUrl(request)
    runWith({ requestId: request.id }, () => done(fault))
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    // Fastify would close on what is still being sent: the reset that follows takes the reply from its reader
    const length = Number(request.headers['content-length'])
    if (reply.statusCode === 413 && length <= MAX_DISCARDED_BYTES) reply.removeHeader('connection')
    done(null, payload)
  })
  return adapter
}

const HSTS = 'max-age=31536000'

const securityHeaders: Readonly<Record<string, string>> = {
  'cache-control': 'no-store',
  'content-security-policy': "default-src 'none'; frame-ancestors 'none'",
  'referrer-policy': 'no-referrer',
  'x-content-type-options': 'nosniff',
  'x-frame-options': 'DENY',
}

/** The one page here: its own scripts, and styles that it sets by itself. */
const readerPolicy =
  "default-src 'self'; style-src 'self' 'unsafe-inline'; img-src 'self' data:; frame-ancestors 'none'"

/** On the raw reply, so that streams have them too; what a route sets itself wins. */
function stamp(request: FastifyRequest, reply: FastifyReply): void {
  reply.raw.setHeader('x-request-id', request.id)
  for (const [name, value] of Object.entries(securityHeaders)) reply.raw.setHeader(name, value)
  if (request.url.startsWith(READER_PATH)) reply.raw.setHeader('content-security-policy', readerPolicy)
}

/** Fastify takes a query that cannot be decoded as it is, and NUL is a character to it. */
function faultOfUrl(request: FastifyRequest): Error | undefined {
  let decoded: string
  try {
    decoded = decodeURIComponent(request.url)
  } catch {
    return new MalformedUrl('the address is not percent-encoded UTF-8')
  }
  if (decoded.includes('\0')) return new MalformedUrl('the address has a NUL character')
  if (Object.hasOwn(request.query as object, '__proto__')) return new MalformedUrl('the address has a key __proto__')
  return undefined
}

/** Named as Fastify's own errors are, for the filter. */
class MalformedUrl extends Error {
  readonly statusCode = 400
  override readonly name = 'FastifyError'
}

class UnsupportedMedia extends Error {
  readonly statusCode = 415
  override readonly name = 'FastifyError'
}

function refuseOtherCharsets(contentType: string | undefined): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType ?? '')?.[1]
  if (charset && charset.toLowerCase() !== 'utf-8') throw new UnsupportedMedia(`the charset ${charset} is not utf-8`)
}

function refuseEncodings(encoding: string | undefined): void {
  if (encoding && encoding.toLowerCase() !== 'identity')
    throw new UnsupportedMedia(`the encoding ${encoding} is not read`)
}

const brokenRequests: Readonly<Record<string, ProblemType>> = {
  ERR_HTTP_REQUEST_TIMEOUT: 'request-timeout',
  HPE_HEADER_OVERFLOW: 'headers-too-large',
}

/** What Node's parser refuses has no request and no reply yet, only a socket. */
function answerBrokenRequest(error: Error & { code?: string }, socket: Socket): void {
  if (error.code === 'ECONNRESET' || socket.destroyed) return
  // there is no TLS yet in which an answer could be given
  if (/^ERR_(SSL|TLS)_/.test(error.code ?? '')) {
    socket.destroy()
    return
  }
  const type = brokenRequests[error.code ?? ''] ?? 'bad-request'
  const { status, title } = problems[type]
  const body = JSON.stringify({ type: problemUrn(type), title, status, detail: 'the request is not well-formed HTTP' })
  const head = [
    `HTTP/1.1 ${status} ${STATUS_CODES[status]}`,
    `Content-Type: ${PROBLEM_MEDIA_TYPE}`,
    `Content-Length: ${Buffer.byteLength(body)}`,
    'Connection: close',
  ]
  if (socket.writable) socket.write(`${head.join('\r\n')}\r\n\r\n${body}`)
  socket.destroySoon()
}
