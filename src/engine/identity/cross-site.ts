import type { FastifyRequest } from 'fastify'
import { Forbidden } from '../platform/errors.js'

const harmless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

/**
 * A cookie comes by itself, whoever made the browser send the request: what changes something must say that it is our
 * own page. Browsers say so by Sec-Fetch-Site, older ones by Origin; scripts can set neither.
 * @throws Forbidden
 */
export function requireSameOrigin(request: FastifyRequest): void {
  if (harmless.has(request.method) || originOf(request) === 'ours') return
  throw new Forbidden(
    'a session changes things from its own pages alone: Sec-Fetch-Site or Origin must say so',
    'cross-site',
  )
}

/** Without a cookie, as for signing in: programs say nothing, and need not. @throws Forbidden */
export function refuseCrossSite(request: FastifyRequest): void {
  if (originOf(request) === 'foreign')
    throw new Forbidden('nobody signs in from the page of another site', 'cross-site')
}

function originOf({ headers }: FastifyRequest): 'ours' | 'foreign' | 'unsaid' {
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none' ? 'ours' : 'foreign'
  const { origin, host } = headers
  if (origin === undefined) return 'unsaid'
  return isHost(origin, host) ? 'ours' : 'foreign'
}

/** The scheme is what a proxy in between may have changed; the host is not. */
function isHost(origin: string, host: string | undefined): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: from } = new URL(origin)
  const here = `${protocol}//${host ?? ''}`
  return URL.canParse(here) && new URL(here).host === from && from !== ''
}
