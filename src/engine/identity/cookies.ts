import type { FastifyRequest } from 'fastify'

export interface CookieOptions {
  readonly path: string
  readonly sameSite: 'Strict' | 'Lax'
  /** Zero removes it; without one it ends with the browser. */
  readonly maxAgeSeconds?: number
}

/** The value of a cookie of ours, which holds none of the characters that would need quotes; of two, the first. */
export function readCookie({ headers }: FastifyRequest, name: string): string | null {
  for (const part of headers.cookie?.split(';') ?? []) {
    const equals = part.indexOf('=')
    if (part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim()
  }
  return null
}

/** No script ever sees it, and where the request came over TLS it never travels without. */
export function writeCookie(request: FastifyRequest, name: string, value: string, options: CookieOptions): string {
  const { path, sameSite, maxAgeSeconds } = options
  return [
    `${name}=${value}`,
    `Path=${path}`,
    ...(maxAgeSeconds === undefined ? [] : [`Max-Age=${maxAgeSeconds}`]),
    'HttpOnly',
    `SameSite=${sameSite}`,
    ...(request.protocol === 'https' ? ['Secure'] : []),
  ].join('; ')
}
