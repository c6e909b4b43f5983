import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Access, requireAllowed } from './access.js'
import { type Allow, anonymous, type Caller } from './caller.js'
import { Forbidden, Unauthenticated } from './errors.js'
import { OPERATION, type OperationOptions } from './openapi.js'

/** The caller of each request that has passed the guard. */
const callers = new WeakMap<object, Caller>()

export const callerOf = (request: FastifyRequest): Caller => callers.get(request.raw) ?? anonymous

/** One decision per route, as its `@Operation` says; a route without one is nobody's. */
@Injectable()
export class AccessGuard implements CanActivate {
  constructor(private readonly access: Access) {}

  async canActivate(context: ExecutionContext): Promise<boolean> {
    if (context.getType() !== 'http') return true
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const operation: OperationOptions | undefined = Reflect.getMetadata(OPERATION, context.getHandler())
    if (!operation) throw new Forbidden('nobody may call this')
    const caller = await this.authenticate(request, operation.allow)
    callers.set(request.raw, caller)
    requireAllowed(caller, operation.allow, operation.whilePasswordIsDue)
    return true
  }

  /** Where anyone may call, stale credentials are no obstacle: signing in is such a route. */
  private async authenticate(request: FastifyRequest, allow: Allow): Promise<Caller> {
    try {
      return await this.access.callerOf(request)
    } catch (error) {
      if (allow === 'anyone' && error instanceof Unauthenticated) return anonymous
      throw error
    }
  }
}
