import type { IncomingMessage } from 'node:http'
import type { FastifyRequest } from 'fastify'

export const MAX_HEADERS = 100

/** Named as Fastify's own errors are, for the filter. */
export class Malformed extends Error {
  override readonly name = 'FastifyError'

  constructor(
    message: string,
    readonly statusCode: 400 | 415 | 431 = 400,
  ) {
    super(message)
  }
}

/** What Node's parser lets pass, and two readers might take for two different things. @returns null: nothing is wrong */
export function faultOf(request: FastifyRequest): Malformed | null {
  return faultOfHead(request.raw) ?? faultOfUrl(request)
}

function faultOfHead({ rawHeaders, headers, httpVersion }: IncomingMessage): Malformed | null {
  const names = rawHeaders.filter((_, index) => index % 2 === 0)
  // Node drops those above its limit in silence, and that is one more than ours
  if (names.length > MAX_HEADERS) return new Malformed(`there are more than ${MAX_HEADERS} headers`, 431)
  if (httpVersion === '1.0' && headers['transfer-encoding']) return new Malformed('HTTP/1.0 has no Transfer-Encoding')
  const hosts = names.filter((name) => name.toLowerCase() === 'host')
  if (hosts.length > 1) return new Malformed('there are two Host headers')
  if (headers.upgrade !== undefined) return new Malformed('no connection is upgraded here')
  return null
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
