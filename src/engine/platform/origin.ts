import { Forbidden } from './errors.js'

interface Asking {
  readonly headers: Readonly<Record<string, string | string[] | undefined>>
}

/**
 * Whether a browser sent this from one of our own pages: the one answer for requests that a cookie vouches for, and for
 * opening a WebSocket, which no browser holds back. A program that is no browser says neither of the two, and is not.
 * @param publicOrigins ours beside the one of the Host header, which a proxy may have changed
 */
export function isSameOrigin({ headers }: Asking, publicOrigins: readonly string[] = []): boolean {
  const { origin, host } = headers
  if (typeof origin === 'string' && publicOrigins.includes(origin)) return true
  // no page can set it; `none` is the reader's own doing, as an address that was typed
  const site = headers['sec-fetch-site']
  if (site !== undefined) return site === 'same-origin' || site === 'none'
  return typeof origin === 'string' && typeof host === 'string' && isAt(origin, host)
}

/** Browsers leave out the port that goes without saying. */
function isAt(origin: string, host: string): boolean {
  if (!URL.canParse(origin)) return false
  const { protocol, host: ofOrigin } = new URL(origin)
  const ours = `${protocol}//${host}`
  return ['http:', 'https:'].includes(protocol) && URL.canParse(ours) && new URL(ours).host === ofOrigin
}

/** `isSameOrigin` of this engine: it knows its public addresses. */
export class Origins {
  constructor(private readonly publicUrls: readonly string[] = []) {}

  isSameOrigin(request: Asking): boolean {
    return isSameOrigin(request, this.publicUrls)
  }

  /** @throws Forbidden `cross-site` */
  requireSameOrigin(request: Asking): void {
    if (!this.isSameOrigin(request)) throw new Forbidden('the request comes from a page of another site', 'cross-site')
  }

  /** Where no cookie vouches, as for signing in: a program says nothing of where it comes from, and need not. @throws Forbidden */
  refuseOtherSites(request: Asking): void {
    const { origin, 'sec-fetch-site': site } = request.headers
    if (origin !== undefined || site !== undefined) this.requireSameOrigin(request)
  }
}
