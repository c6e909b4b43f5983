import type { FastifyInstance, RouteOptions } from 'fastify'

interface KnownRoute {
  readonly path: RegExp
  readonly methods: readonly string[]
}

const routes = new WeakMap<object, KnownRoute[]>()

/** Remembers every route of a server, so that a 404 can tell a wrong method from a wrong path. */
export function rememberRoutes(server: FastifyInstance): void {
  const known: KnownRoute[] = []
  routes.set(server.server, known)
  server.addHook('onRoute', ({ url, method }: RouteOptions) => {
    if (!url.includes('*')) known.push({ path: pattern(url), methods: [method].flat() })
  })
}

/** The methods that this path takes; none where there is nothing. */
export function allowedMethods(server: FastifyInstance, path: string): string[] {
  const matching = (routes.get(server.server) ?? []).filter((route) => route.path.test(path))
  return [...new Set(matching.flatMap((route) => route.methods))].sort()
}

function pattern(url: string): RegExp {
  const escaped = url.replace(/[.+?^${}()|[\]\\]/g, '\\$&').replace(/:[A-Za-z0-9_]+/g, '[^/]+')
  return new RegExp(`^${escaped}/?$`)
}
