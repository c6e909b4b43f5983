import { Global, Module } from '@nestjs/common'
import { APP_FILTER, APP_GUARD, APP_INTERCEPTOR, APP_PIPE } from '@nestjs/core'
import { AccessGuard } from './access.guard.js'
import { Access } from './access.js'
import { CallLimits } from './call-limits.js'
import { FaceFaults } from './face-faults.js'
import { FailureLimits } from './failure-limits.js'
import { HealthController } from './health.controller.js'
import { IdempotencyInterceptor } from './idempotency.interceptor.js'
import { InputGuard } from './input.guard.js'
import { MetricsController } from './metrics.controller.js'
import { Metrics } from './metrics.js'
import { OpenApiController } from './openapi.controller.js'
import { Outbound } from './outbound.js'
import { ProblemFilter } from './problem.filter.js'
import { Readiness } from './readiness.js'
import { ReplyInterceptor } from './reply.interceptor.js'
import { RequestGate } from './request-gate.js'
import { Settings } from './settings.js'
import { SharedLimits } from './shared-limits.js'
import { InputPipe } from './validation.js'

/** What every REST controller stands on. `Database` comes from a global module beside it. */
@Global()
@Module({
  controllers: [HealthController, MetricsController, OpenApiController],
  providers: [
    Metrics,
    Readiness,
    Access,
    CallLimits,
    FaceFaults,
    FailureLimits,
    RequestGate,
    SharedLimits,
    { provide: Outbound, inject: [Settings], useFactory: (settings: Settings) => new Outbound(settings) },
    { provide: APP_FILTER, useClass: ProblemFilter },
    // in this order: who may not call learns nothing of what the route takes
    { provide: APP_GUARD, useClass: AccessGuard },
    { provide: APP_GUARD, useClass: InputGuard },
    { provide: APP_PIPE, useClass: InputPipe },
    // in this order: the stored reply is the one with its headers
    { provide: APP_INTERCEPTOR, useClass: IdempotencyInterceptor },
    { provide: APP_INTERCEPTOR, useClass: ReplyInterceptor },
  ],
  exports: [Access, FaceFaults, Metrics, Outbound, Readiness, SharedLimits],
})
export class PlatformModule {}
