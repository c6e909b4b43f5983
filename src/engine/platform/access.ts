import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { type Allow, anonymous, type Caller, includes, mayInPlane } from './caller.js'
import { Forbidden, Unauthenticated } from './errors.js'

/** Finds out who makes a request; `anonymous` where it says nothing. @throws Unauthenticated when what it says is not good */
export type Authenticator = (request: FastifyRequest) => Promise<Caller>

/** Who callers are is known by `identity`, which stands right of all that asks. */
@Injectable()
export class Access {
  private authenticator: Authenticator = async () => anonymous

  authenticatedBy(authenticator: Authenticator): void {
    this.authenticator = authenticator
  }

  callerOf(request: FastifyRequest): Promise<Caller> {
    return this.authenticator(request)
  }
}

/** @throws Unauthenticated, Forbidden */
export function requireAllowed(caller: Caller, allow: Allow, whilePasswordIsDue?: true): void {
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
