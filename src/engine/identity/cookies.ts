import type { FastifyRequest } from 'fastify'

/**
 * Browsers take a cookie of such a name from this very host alone, over TLS and for all its paths: a neighbour under the same
 * domain cannot plant one of theirs, and have somebody work in a session that is not their own.
 */
const HOST = '__Host-'

export interface CookieOptions {
  readonly path: string
  readonly sameSite: 'Strict' | 'Lax'
  /** Zero removes it; without one it ends with the browser. */
  readonly maxAgeSeconds?: number
}

/** The value of a cookie of ours, which holds none of the characters that would need quotes; of two, the first. */
export function readCookie(request: FastifyRequest, name: string): string | null {
  const cookies = request.headers.cookie
  if (cookies === undefined) return null
  const wanted = isSecure(request) ? HOST + name : name
  for (const part of cookies.split(';')) {
    const equals = part.indexOf('=')
    if (part.slice(0, equals).trim() === wanted) return part.slice(equals + 1).trim()
  }
  return null
}

/** No script ever sees it, and where the request came over TLS it never travels without. */
export function writeCookie(request: FastifyRequest, name: string, value: string, options: CookieOptions): string {
  const { path, sameSite, maxAgeSeconds } = options
  const secure = isSecure(request)
  return [
    `${secure ? HOST + name : name}=${value}`,
    `Path=${secure ? '/' : path}`,
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(secure ? ['Secure'] : []),
  ].join('; ')
}

const isSecure = (request: FastifyRequest): boolean => request.protocol === 'https'
