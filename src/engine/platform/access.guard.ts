import { type CanActivate, type ExecutionContext, Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Access } from './access.js'
import { auditedCallOf } from './audited-call.js'
import { type Allow, anonymous, type Caller, includes, mayInPlane } from './caller.js'
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
    const call = auditedCallOf(request)
    if (call) call.operation = operation.id
    const caller = await this.authenticate(request, operation.allow)
    callers.set(request.raw, caller)
    call?.by(caller)
    requireAllowed(caller, operation)
    call?.promises(operation.reply[0])
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

function requireAllowed(caller: Caller, { allow, whilePasswordIsDue }: OperationOptions): void {
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
