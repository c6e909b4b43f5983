import { subscribe, unsubscribe } from 'node:diagnostics_channel'
import type { FastifyInstance, RouteOptions } from 'fastify'

export interface Route {
  readonly method: string
  /** As Fastify spells it: `/api/v1/hosts/:id`. */
  readonly url: string
}

/** What is routed by every Fastify that is made while `work` goes on: the running application, whatever its document says. */
export async function routesMadeBy(work: () => Promise<void>): Promise<readonly Route[]> {
  const routes: Route[] = []
  const watch = (message: unknown) => {
    const { fastify } = message as { fastify: FastifyInstance }
    fastify.addHook('onRoute', ({ method, url }: RouteOptions) => {
      for (const one of [method].flat()) routes.push({ method: one, url })
    })
  }
  subscribe('fastify.initialization', watch)
  try {
    await work()
  } finally {
    unsubscribe('fastify.initialization', watch)
  }
  return routes
}
