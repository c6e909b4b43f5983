import type { CanActivate, ExecutionContext } from '@nestjs/common'
import { ROUTE_ARGS_METADATA } from '@nestjs/common/constants.js'
import { RouteParamtypes } from '@nestjs/common/internal'
import type { FastifyRequest } from 'fastify'
import { BadInput, coded } from './validation.js'

interface Taken {
  readonly body: boolean
  /** Null: a query class, which refuses by itself what it does not know. */
  readonly query: ReadonlySet<string> | null
}

/** Refuses what a route would silently ignore: query parameters and bodies that it does not take. */
export class InputGuard implements CanActivate {
  private readonly taken = new WeakMap<object, Taken>()

  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const { body, query } = this.of(context)
    const unknown = query ? Object.keys(request.query as object).filter((name) => !query.has(name)) : []
    if (unknown.length > 0) {
      throw new BadInput(unknown.map((name) => coded(name, 'unknownField', `there is no query parameter ${name}`)))
    }
    if (!body && !isEmpty(request.body)) throw new BadInput([coded('', 'unknownField', 'this takes no body')])
    return true
  }

  private of(context: ExecutionContext): Taken {
    const handler = context.getHandler()
    const known = this.taken.get(handler)
    if (known) return known
    const found = read(Reflect.getMetadata(ROUTE_ARGS_METADATA, context.getClass(), handler.name) ?? {})
    this.taken.set(handler, found)
    return found
  }
}

type RouteArguments = Readonly<Record<string, { readonly data?: unknown }>>

/** Nest's own record of a handler's decorated parameters, by `<kind>:<index>`. */
function read(args: RouteArguments): Taken {
  const of = (kind: RouteParamtypes) => Object.entries(args).filter(([key]) => key.startsWith(`${kind}:`))
  const all = of(RouteParamtypes.REQUEST).length > 0
  const queries = of(RouteParamtypes.QUERY).map(([, { data }]) => data)
  const whole = queries.some((data) => typeof data !== 'string')
  return {
    body: of(RouteParamtypes.BODY).length > 0,
    query: whole || all ? null : new Set(queries.map(String)),
  }
}

function isEmpty(body: unknown): boolean {
  if (body === undefined || body === null) return true
  return typeof body === 'object' && !Array.isArray(body) && Object.keys(body).length === 0
}
