import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { anonymous, type Caller } from './caller.js'

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
