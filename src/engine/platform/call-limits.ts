import { type ExecutionContext, Injectable, type OnModuleInit } from '@nestjs/common'
import { Reflector } from '@nestjs/core'
import { ExecutionContextHost } from '@nestjs/core/helpers/execution-context-host.js'
import { ThrottlerGuard, type ThrottlerRequest } from '@nestjs/throttler'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { BoundedCounters } from './bounded-counters.js'
import type { Caller } from './caller.js'
import { subjectOf as addressSubjectOf } from './client-address.js'
import { TooMany } from './errors.js'
import { Settings } from './settings.js'

const WINDOW_MS = 60_000

/**
 * How many calls a minute somebody may make, counted by this replica alone: by token or user where there is one, else by
 * address. It is asked before there is a body, so by the gate and not as a guard of Nest's.
 */
@Injectable()
export class CallLimits implements OnModuleInit {
  // made here: the container would give it what its base class asks for
  private readonly guard: CallGuard

  constructor(settings: Settings, reflector: Reflector) {
    const limit = (context: ExecutionContext): number => {
      const [, , { userId }] = argumentsOf(context)
      return settings.get(userId === null ? 'limits.anonymousCallsPerMinute' : 'limits.callsPerMinute')
    }
    this.guard = new CallGuard([{ name: 'calls', ttl: WINDOW_MS, limit }], new BoundedCounters(), reflector)
  }

  async onModuleInit(): Promise<void> {
    await this.guard.onModuleInit()
  }

  /** @throws TooMany */
  async count(request: FastifyRequest, reply: FastifyReply, caller: Caller): Promise<void> {
    if (caller.unlimited) return
    // the guard looks for decorators on a class and a handler, and these limits are nobody's alone
    await this.guard.canActivate(new ExecutionContextHost([request, reply, caller], CallLimits, CallLimits))
  }
}

class CallGuard extends ThrottlerGuard {
  protected override async handleRequest({ context, limit, ttl, throttler }: ThrottlerRequest): Promise<boolean> {
    const [request, reply, caller] = argumentsOf(context)
    const { name = '' } = throttler
    const subject = subjectOf(request, caller)
    const { totalHits, timeToExpire } = await this.storageService.increment(subject, ttl, limit, ttl, name)
    // as in draft-ietf-httpapi-ratelimit-headers-11
    reply.header('ratelimit-policy', `"${name}";q=${limit};w=${ttl / 1_000}`)
    reply.header('ratelimit', `"${name}";r=${Math.max(0, limit - totalHits)};t=${timeToExpire}`)
    if (totalHits > limit) throw new TooMany(`no more than ${limit} calls a minute`, timeToExpire)
    return true
  }
}

const argumentsOf = (context: ExecutionContext) => context.getArgs<[FastifyRequest, FastifyReply, Caller]>()

function subjectOf(request: FastifyRequest, { tokenId, userId }: Caller): string {
  if (tokenId !== null) return `token:${tokenId}`
  return userId === null ? addressSubjectOf(request) : `user:${userId}`
}
