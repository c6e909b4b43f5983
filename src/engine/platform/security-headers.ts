import helmetPlugin from '@fastify/helmet'
import type { FastifyInstance } from 'fastify'
import helmet from 'helmet'
import { READER_PATH } from './openapi-reader.js'

const YEAR_SECONDS = 31_536_000

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Options of helmet's for this route; its plugin reads them. */
    helmet?: object
  }
}

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

/** The headers of every route's replies; on the raw reply, so that streams have them too. What a route sets itself wins. */
export function addSecurityHeaders(server: FastifyInstance, options: Options): void {
  const readers = optionsOf(reader, options)
  server.addHook('onRoute', (route) => {
    if (route.url.startsWith(READER_PATH)) route.config = { ...route.config, helmet: readers }
  })
  void server.register(helmetPlugin, { global: true, ...optionsOf(strict, options) })
  server.addHook('onRequest', (_request, reply, done) => {
    reply.raw.setHeader('cache-control', 'no-store')
    done()
  })
}

/** The same for replies that are written before there is a route. */
export const plainSecurityHeaders = (options: Options): Readonly<Record<string, string>> => ({
  ...recorded(optionsOf(strict, options)),
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
