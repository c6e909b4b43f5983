import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'

export const MAX_HEADERS = 100

/** Of a body that nobody wants: read and dropped, so that its sender hears why. */
const MAX_DISCARDED_BYTES = 64 * 1024 * 1024

/** A request that is refused for its form. Named as Fastify's own errors are, for the filter. */
export class Malformed extends Error {
  override readonly name = 'FastifyError'

  constructor(
    message: string,
    readonly statusCode: 400 | 404 | 415 | 431 = 400,
  ) {
    super(message)
  }
}

/** What Node's parser lets pass, and two readers might take for two different things. @returns null: nothing is wrong */
export function faultOf(request: FastifyRequest): Malformed | null {
  return faultOfHead(request.raw) ?? faultOfUrl(request)
}

/** A body that is not waited for: what is refused before it ends the connection. */
export function hasBodyWithoutEnd({ headers }: FastifyRequest): boolean {
  const length = Number(headers['content-length'] ?? 0)
  return headers['transfer-encoding'] !== undefined || headers.expect !== undefined || length > MAX_DISCARDED_BYTES
}

function faultOfHead(request: IncomingMessage): Malformed | null {
  const { rawHeaders, headers, httpVersion } = request
  const names = rawHeaders.filter((_, index) => index % 2 === 0)
  // Node drops those above its limit in silence, and that is one more than ours
  if (names.length > MAX_HEADERS) return new Malformed(`there are more than ${MAX_HEADERS} headers`, 431)
  if (httpVersion !== '1.1' && httpVersion !== '1.0') return new Malformed(`HTTP/${httpVersion} is not spoken here`)
  if (httpVersion === '1.0' && headers['transfer-encoding']) return new Malformed('HTTP/1.0 has no Transfer-Encoding')
  const hosts = names.filter((name) => name.toLowerCase() === 'host')
  if (hosts.length > 1) return new Malformed('there are two Host headers')
  if (headers.upgrade !== undefined) return new Malformed('no connection is upgraded here')
  if (headers.expect !== undefined && headers.expect.toLowerCase() !== '100-continue') {
    return new Malformed('nothing is expected of this but 100-continue')
  }
  return isForAnother(request) ? new Malformed('the address names another host than the Host header') : null
}

/** The whole address may stand in the request line, as a client writes it to a proxy. */
function isForAnother({ url = '', headers: { host } }: IncomingMessage): boolean {
  if (url.startsWith('/') || url === '*') return false
  return !URL.canParse(url) || new URL(url).host !== host?.toLowerCase()
}

/** Fastify takes a query that cannot be decoded as it is, and NUL is a character to it. */
function faultOfUrl(request: FastifyRequest): Malformed | null {
  let decoded: string
  try {
    decoded = decodeURIComponent(request.url)
  } catch {
    return new Malformed('the address is not percent-encoded UTF-8')
  }
  if (decoded.includes('\0')) return new Malformed('the address has a NUL character')
  if (Object.hasOwn(request.query as object, '__proto__')) return new Malformed('the address has a key __proto__')
  return null
}
