import type { FastifyInstance } from 'fastify'
import helmet from 'helmet'
import { READER_PATH } from './openapi-reader.js'

const YEAR_SECONDS = 31_536_000

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of this route, instead of the strict ones. */
    securityHeaders?: Headers
  }
}

type Headers = Readonly<Record<string, string>>
type Policy = Readonly<Record<string, readonly string[]>>

/** Replies are for programs: a browser that shows one as a page runs, loads and frames nothing. */
const strict: Policy = {
  defaultSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
}

/** The one page here: its own scripts, and styles that it sets by itself. */
const reader: Policy = {
  defaultSrc: ["'self'"],
  styleSrc: ["'self'", "'unsafe-inline'"],
  imgSrc: ["'self'", 'data:'],
  objectSrc: ["'none'"],
  baseUri: ["'none'"],
  formAction: ["'none'"],
  frameAncestors: ["'none'"],
}

interface Options {
  /** Browsers shall ask by TLS alone from now on: only where certificates are given that they can check. */
  readonly hsts: boolean
}

const optionsOf = (policy: Policy, { hsts }: Options) => ({
  contentSecurityPolicy: {
    useDefaults: false,
    directives: Object.fromEntries(Object.entries(policy).map(([name, values]) => [name, [...values]])),
  },
  strictTransportSecurity: hsts && { maxAge: YEAR_SECONDS, includeSubDomains: false },
  referrerPolicy: { policy: 'no-referrer' as const },
  xFrameOptions: { action: 'deny' as const },
})

/**
 * The headers of every route's replies; on the raw reply, so that streams have them too. What a route sets itself wins. They
 * are the same for all requests: helmet is asked once.
 */
export function addSecurityHeaders(server: FastifyInstance, options: Options): void {
  const ofReplies = plainSecurityHeaders(options)
  const ofReader = headersOf(reader, options)
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith(READER_PATH)) route.config = { ...route.config, securityHeaders: ofReader }
  })
  server.addHook('onRequest', (request, reply, done) => {
    const headers = request.routeOptions.config.securityHeaders ?? ofReplies
    for (const name in headers) reply.raw.setHeader(name, headers[name]!)
    done()
  })
}

/** Also for replies that are written before there is a route. */
export const plainSecurityHeaders = (options: Options): Headers => headersOf(strict, options)

const headersOf = (policy: Policy, options: Options): Headers => ({
  ...recorded(optionsOf(policy, options)),
  'cache-control': 'no-store',
})

/** What helmet would set, as a table. */
function recorded(options: Parameters<typeof helmet>[0]): Record<string, string> {
  const table: Record<string, string> = {}
  const reply = {
    setHeader: (name: string, value: string) => {
      table[name.toLowerCase()] = value
    },
    removeHeader: () => undefined,
  }
  // of a request it reads nothing, of a reply no more than this
  helmet(options)({} as never, reply as never, () => undefined)
  return table
}
