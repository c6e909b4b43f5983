import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { type Allow, anonymous, type Caller, includes, mayInPlane } from './caller.js'
import { Forbidden, Unauthenticated } from './errors.js'
import type { Face } from './faces.js'

/** Finds out who makes a request; `anonymous` where it says nothing. @throws Unauthenticated when what it says is not good */
export type Authenticator = (request: FastifyRequest) => Promise<Caller>

/** Who callers are is known by `identity`, which stands right of all that asks. */
@Injectable()
export class Access {
  private readonly authenticators = new Map<Face, Authenticator>()

  authenticatedBy(authenticator: Authenticator, face: Face = 'native'): void {
    this.authenticators.set(face, authenticator)
  }

  async callerOf(request: FastifyRequest, face: Face = 'native'): Promise<Caller> {
    return (await this.authenticators.get(face)?.(request)) ?? anonymous
  }
}

/** What the request shows as credentials on that face, as one text; undefined: nothing. */
export function credentialsOf({ headers }: FastifyRequest, face: Face = 'native'): string | undefined {
  const { authorization, cookie } = headers
  if (face === 'native') return authorization ?? cookie
  // a browser's session is none there: nothing of it comes from a page
  return headerText(headers['x-auth-token']) ?? authorization
}

const headerText = (value: string | string[] | undefined): string | undefined =>
  Array.isArray(value) ? value.join(',') : value

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
