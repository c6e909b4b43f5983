import { Injectable, type OnModuleInit } from '@nestjs/common'
import { HttpAdapterHost } from '@nestjs/core'
import type { FastifyAdapter } from '@nestjs/platform-fastify'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { rememberCaller } from './access.guard.js'
import { Access, credentialsOf, requireAllowed } from './access.js'
import { auditedCallOf } from './audited-call.js'
import { CallLimits } from './call-limits.js'
import { anonymous, type Caller } from './caller.js'
import { addressOf, networkOf, subjectOf } from './client-address.js'
import { TooMany, Unauthenticated } from './errors.js'
import { FailureLimits } from './failure-limits.js'
import type { OperationOptions } from './openapi.js'
import { hasBodyWithoutEnd, Malformed } from './request-shape.js'
import { SharedLimits } from './shared-limits.js'

declare module 'fastify' {
  interface FastifyContextConfig {
    /** Of every route but those of the document's reader. */
    operation?: OperationOptions
  }
}

/**
 * Who calls, whether they may, and whether they have called too often: decided when the head of a request is there, so that
 * nobody who is refused has a body read. The decision is the one of `@Operation`; `AccessGuard` sees that it was made.
 */
@Injectable()
export class RequestGate implements OnModuleInit {
  constructor(
    private readonly adapterHost: HttpAdapterHost<FastifyAdapter>,
    private readonly access: Access,
    private readonly calls: CallLimits,
    private readonly failures: FailureLimits,
    private readonly guesses: SharedLimits,
  ) {}

  onModuleInit(): void {
    const server = this.adapterHost.httpAdapter?.getInstance()
    server?.addHook('onRequest', async (request, reply) => {
      await this.admit(request, reply).catch((error: unknown) => {
        if (hasBodyWithoutEnd(request)) reply.header('connection', 'close')
        throw error
      })
    })
  }

  private async admit(request: FastifyRequest, reply: FastifyReply): Promise<void> {
    // in the words of the filter, which knows wrong methods from wrong paths
    if (request.is404) throw new Malformed('nothing is here', 404)
    const { operation } = request.routeOptions.config
    const call = auditedCallOf(request)
    if (call) call.operation = operation?.id ?? null
    const caller = await this.authenticate(request, operation)
    rememberCaller(request, caller)
    call?.by(caller)
    if (operation?.limit !== 'none') await this.calls.count(request, reply, caller)
    if (operation) requireAllowed(caller, operation.allow, operation.whilePasswordIsDue)
    if (operation?.guesses) await this.guesses.refuseLockedOut(operation.guesses, subjectOf(request))
  }

  /** Where anyone may call, stale credentials are no obstacle: signing in is such a route. */
  private async authenticate(request: FastifyRequest, operation: OperationOptions | undefined): Promise<Caller> {
    if (!operation || isForAll(operation)) return anonymous
    const credentials = credentialsOf(request, operation.face)
    if (credentials === undefined) return this.access.callerOf(request, operation.face)
    const network = networkOf(addressOf(request))
    try {
      this.failures.requireRoom(network, credentials)
      const caller = await this.access.callerOf(request, operation.face)
      if (caller.userId !== null) this.failures.succeeded(credentials)
      return caller
    } catch (error) {
      if (error instanceof Unauthenticated) this.failures.failed(network, credentials)
      const ofCredentials = error instanceof Unauthenticated || error instanceof TooMany
      if (operation.allow === 'anyone' && ofCredentials) return anonymous
      throw error
    }
  }
}

/** Health has no caller: whatever a request shows, the database is not asked about it. */
const isForAll = ({ allow, limit }: OperationOptions): boolean => allow === 'anyone' && limit === 'none'
