import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { auditedCallOf } from './audited-call.js'
import { anonymous, type Caller, includes, mayInPlane } from './caller.js'
import { Forbidden, Unauthenticated } from './errors.js'
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
    requireAllowed(caller, operation)
    auditedCallOf(request)?.promises(operation.reply[0])
    return true
  }
}

/** @throws Unauthenticated, Forbidden */
export function requireAllowed(caller: Caller, { allow, whilePasswordIsDue }: OperationOptions): void {
  if (allow === 'anyone') return
  if (caller.userId === null) throw new Unauthenticated('this needs an API token, or a session')
  if (caller.mustChangePassword && !whilePasswordIsDue) {
    throw new Forbidden('choose a new password: PUT /api/v1/session/password', 'password-change-required')
  }
  if (allow === 'signed-in') return
  if ('plane' in allow) {
    if (!mayInPlane(caller, allow.plane)) throw new Forbidden(`${allow.plane} of the plane is needed`)
    return
  }
  const { project } = allow
  const somewhere = mayInPlane(caller, project) || [...caller.projects.values()].some((role) => includes(role, project))
  if (!somewhere) throw new Forbidden(`${project} of a project is needed`)
}
