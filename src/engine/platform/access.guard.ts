import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { requireAllowed } from './access.js'
import { auditedCallOf } from './audited-call.js'
import { anonymous, type Caller } from './caller.js'
import { Forbidden } from './errors.js'
import { OPERATION, type OperationOptions } from './openapi.js'

/** The caller of each request that has passed the gate. */
const callers = new WeakMap<object, Caller>()

export const rememberCaller = (request: FastifyRequest, caller: Caller) => callers.set(request.raw, caller)

export const callerOf = (request: FastifyRequest): Caller => callers.get(request.raw) ?? anonymous

/**
 * One decision per route, as its `@Operation` says; a route without one is nobody's. `RequestGate` has decided before the
 * body was read: what has found a way round it ends here.
 */
@Injectable()
export class AccessGuard implements CanActivate {
  canActivate(context: ExecutionContext): boolean {
    if (context.getType() !== 'http') return true
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const operation: OperationOptions | undefined = Reflect.getMetadata(OPERATION, context.getHandler())
    const caller = callers.get(request.raw)
    if (!operation || !caller) throw new Forbidden('nobody may call this')
    requireAllowed(caller, operation.allow, operation.whilePasswordIsDue)
    auditedCallOf(request)?.promises(operation.reply[0])
    return true
  }
}
