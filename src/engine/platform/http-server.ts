import type { SecureContextOptions } from 'node:tls'
import { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyError, FastifyInstance, FastifyReply, FastifyRequest } from 'fastify'
import { parseNetwork } from '../../config/network.js'
import { runWith } from '../../log/context.js'
import type { EngineConfig } from '../config.js'
import { beginCall, finishCall } from './audited-call.js'
import { brokenRequestHandler } from './broken-requests.js'
import { limitConnections } from './connection-limits.js'
import { rememberRoutes } from './http-routes.js'
import { parseJsonBody } from './json-body.js'
import { problemReply, sendProblem } from './problem.js'
import { requestIdOf } from './request-id.js'
import { faultOf, hasBodyWithoutEnd, MAX_HEADERS, Malformed } from './request-shape.js'
import { addSecurityHeaders, plainSecurityHeaders } from './security-headers.js'

export interface HttpOptions
  extends Pick<EngineConfig, 'httpBodyLimitBytes' | 'requestTimeoutMs' | 'drainTimeoutMs' | 'trustedProxies'> {
  /** Browsers are told to ask by TLS alone: for certificates that they can check. */
  readonly hsts: boolean
}

const HEADERS_TIMEOUT_MS = 10_000
const HANDSHAKE_TIMEOUT_MS = 5_000
const KEEP_ALIVE_TIMEOUT_MS = 72_000
const CHECK_CONNECTIONS_MS = 1_000
const MAX_HEADER_BYTES = 16 * 1024
/** Far beyond any of ours: an id that is a little too long is told so by name. */
const MAX_PARAMETER_LENGTH = 2_048

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

/**
 * The HTTP side with its limits, before any route: what is refused here is a problem document as well.
 * @param tls null: plain HTTP
 */
export function createHttpAdapter(options: HttpOptions, tls: SecureContextOptions | null = null): FastifyAdapter {
  const plainHeaders = plainSecurityHeaders(options)
  const http = {
    headersTimeout: Math.min(HEADERS_TIMEOUT_MS, options.requestTimeoutMs),
    connectionsCheckingInterval: CHECK_CONNECTIONS_MS,
    maxHeaderSize: MAX_HEADER_BYTES,
    insecureHTTPParser: false,
  }
  const adapter = new JsonAdapter({
    routerOptions: { ignoreTrailingSlash: true, caseSensitive: true, maxParamLength: MAX_PARAMETER_LENGTH },
    bodyLimit: options.httpBodyLimitBytes,
    requestTimeout: options.requestTimeoutMs,
    keepAliveTimeout: KEEP_ALIVE_TIMEOUT_MS,
    trustProxy: options.trustedProxies.length > 0 && [...options.trustedProxies],
    // requests on connections that are still open while draining are served; new ones are not accepted
    return503OnClosing: false,
    ...(tls ? { https: { ...http, ...tls, handshakeTimeout: HANDSHAKE_TIMEOUT_MS } } : { http }),
    requestIdHeader: false,
    genReqId: requestIdOf,
    clientErrorHandler: brokenRequestHandler(plainHeaders),
    frameworkErrors: (error: FastifyError, request: FastifyRequest, reply: FastifyReply) => {
      reply.headers({ ...plainHeaders, 'x-request-id': request.id })
      // before any hook
      beginCall(request, () => sendProblem(reply, problemReply(error, request)))
      finishCall(request, reply.statusCode)
    },
  })
  adapter.drainTimeoutMs = options.drainTimeoutMs
  const server = adapter.getInstance()
  const proxies = options.trustedProxies.flatMap((text) => parseNetwork(text) ?? [])
  limitConnections(server.server, {
    isTrustedProxy: (address) => proxies.some((network) => network.contains(address)),
  })
  server.server.maxHeadersCount = MAX_HEADERS + 1
  askBeforeBodies(server)
  rememberRoutes(server)
  readJsonAlone(server)
  server.addHook('onRequest', (request, reply, done) => {
    reply.raw.setHeader('x-request-id', request.id)
    runWith({ requestId: request.id }, () => beginCall(request, done))
  })
  addSecurityHeaders(server, options)
  server.after(() => {
    server.addHook('onRequest', (request, reply, done) => {
      const fault = faultOf(request)
      // what comes after a head that can be read in two ways is nobody's request
      if (fault) reply.header('connection', 'close')
      done(fault ?? undefined)
    })
  })
  server.addHook('onSend', (request, reply, payload, done) => {
    finishCall(request, reply.statusCode)
    // Fastify would close on what is still being sent: the reset that follows takes the reply from its reader
    if (reply.statusCode === 413 && !hasBodyWithoutEnd(request)) reply.removeHeader('connection')
    done(null, payload)
  })
  return adapter
}

/** `Expect: 100-continue` is answered when the body is wanted: who is refused keeps it. */
function askBeforeBodies(server: FastifyInstance): void {
  for (const event of ['checkContinue', 'checkExpectation']) {
    server.server.on(event, (request, response) => server.server.emit('request', request, response))
  }
  server.addHook('preParsing', (request, reply, _payload, done) => {
    // HTTP/1.0 has no such reply
    if (request.headers.expect !== undefined && request.raw.httpVersion === '1.1') reply.raw.writeContinue()
    done()
  })
}

function readJsonAlone(server: FastifyInstance): void {
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
}

function refuseOtherCharsets(contentType: string | undefined): void {
  const charset = /;\s*charset\s*=\s*"?([^";\s]+)/i.exec(contentType ?? '')?.[1]
  if (charset && charset.toLowerCase() !== 'utf-8') throw new Malformed(`the charset ${charset} is not utf-8`, 415)
}

function refuseEncodings(encoding: string | undefined): void {
  if (encoding && encoding.toLowerCase() !== 'identity')
    throw new Malformed(`the encoding ${encoding} is not read`, 415)
}
