import { setTimeout as pause } from 'node:timers/promises'
import {
  type CallHandler,
  type ExecutionContext,
  HttpException,
  Injectable,
  type NestInterceptor,
} from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { from, lastValueFrom, type Observable } from 'rxjs'
import { currentCall } from './audited-call.js'
import { Database, type Tx } from './database.js'
import { Conflict, Invalid } from './errors.js'
import { type Call, callOf, claimKey, findReply, type StoredReply, storeReply } from './idempotency-keys.js'
import { OPERATION, type OperationOptions } from './openapi.js'
import { problemReply, StoredProblem } from './problem.js'
import { problemTypeOf } from './problems.js'
import { keptReplies, sealedPlace } from './sealed-columns.js'
import { Sealer } from './sealing.js'
import { BadInput } from './validation.js'

const WAIT_MS = 10_000
const RETRY_MS = 25
const MARK_USE = 'idempotency'
const KEY = /^[\x21-\x7e]{1,255}$/
/** Replies that say how things were, and are part of what was done; a fault of ours is not. */
const storable: ReadonlySet<number> = new Set([404, 409, 412, 422])
const keptHeaders = ['location', 'etag'] as const

type KeyedCall = Call & { readonly secretReply: boolean }

type Outcome = { readonly body: unknown } | 'taken'

/**
 * `Idempotency-Key` on a POST: the handler runs inside one transaction in which its reply is written beside its effect,
 * so that both are there or neither, whenever the process dies.
 */
@Injectable()
export class IdempotencyInterceptor implements NestInterceptor {
  constructor(
    private readonly database: Database,
    private readonly sealer: Sealer,
  ) {}

  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle()
    const request = context.switchToHttp().getRequest<FastifyRequest>()
    const key = request.headers['idempotency-key']
    const options: OperationOptions | undefined = Reflect.getMetadata(OPERATION, context.getHandler())
    if (request.method !== 'POST' || key === undefined || options?.everyTime) return next.handle()
    if (typeof key !== 'string' || !KEY.test(key)) {
      throw new HttpException('Idempotency-Key is 1 to 255 visible ASCII characters', 400)
    }
    const reply = context.switchToHttp().getResponse<FastifyReply>()
    const call = { ...callOf(request, key), secretReply: options?.secretReply === true }
    return from(this.once(call, request, reply, next))
  }

  /** A repeat that arrives while the first is under way waits, holding no connection meanwhile. */
  private async once(
    call: KeyedCall,
    request: FastifyRequest,
    reply: FastifyReply,
    next: CallHandler,
  ): Promise<unknown> {
    const deadline = performance.now() + WAIT_MS
    for (;;) {
      const outcome = await this.database.ambient((tx) => this.attempt(tx, call, request, reply, next))
      if (outcome !== 'taken') {
        if (outcome.body instanceof StoredProblem) throw outcome.body
        return outcome.body
      }
      if (performance.now() > deadline) {
        throw new Conflict('a request of the same Idempotency-Key is still under way', 'idempotency-key-in-use')
      }
      await pause(RETRY_MS)
    }
  }

  private async attempt(
    tx: Tx,
    call: KeyedCall,
    request: FastifyRequest,
    reply: FastifyReply,
    next: CallHandler,
  ): Promise<Outcome> {
    const audited = currentCall()
    audited?.looks()
    if (!(await claimKey(tx, call))) return 'taken'
    const stored = await findReply(tx, call)
    if (stored) {
      this.requireSame(call, stored.fingerprint)
      audited?.repeats()
      return { body: replay({ ...stored, body: this.bodyOf(stored, call) }, reply) }
    }
    audited?.acts()
    return { body: await this.run(tx, call, request, reply, next) }
  }

  /** A refusal undoes the handler's work alone: the refusal itself is kept. */
  private async run(
    tx: Tx,
    call: KeyedCall,
    request: FastifyRequest,
    reply: FastifyReply,
    next: CallHandler,
  ): Promise<unknown> {
    try {
      const body: unknown = await this.database.savepoint(tx, () =>
        lastValueFrom(next.handle(), { defaultValue: undefined }),
      )
      await storeReply(tx, call, this.markOf(call), {
        status: reply.statusCode,
        headers: headersOf(reply),
        ...this.closed(JSON.stringify(body) ?? null, call),
      })
      return body
    } catch (error) {
      const { status, headers, body } = problemReply(error, request)
      if (error instanceof BadInput || !storable.has(status)) throw error
      currentCall()?.refuses({ status, problem: problemTypeOf(body) })
      // a refusal shows no secret
      await storeReply(tx, call, this.markOf(call), { status, headers, body: JSON.stringify(body), sealedBody: null })
      return new StoredProblem(status, headers, body)
    }
  }

  /** What was asked may hold a secret that a dictionary has: its plain hash would give it away. */
  private markOf({ content }: KeyedCall): string {
    return this.sealer.mark(content, MARK_USE)
  }

  /** @throws Invalid */
  private requireSame({ content }: KeyedCall, fingerprint: string): void {
    const same = this.sealer.isMarkOf(fingerprint, content, MARK_USE)
    if (same) return
    const message =
      same === null
        ? 'the Idempotency-Key was used under a sealing key that is gone: what with cannot be told any more'
        : 'the Idempotency-Key was used with another query or body'
    throw new Invalid(message, [], 'idempotency-key-reused')
  }

  private closed(
    body: string | null,
    { secretReply, scope, key }: KeyedCall,
  ): Pick<StoredReply, 'body' | 'sealedBody'> {
    if (!secretReply || body === null) return { body, sealedBody: null }
    return { body: null, sealedBody: this.sealer.seal(body, sealedPlace(keptReplies, [scope, key])) }
  }

  private bodyOf({ body, sealedBody }: StoredReply, { scope, key }: Call): string | null {
    return sealedBody === null ? body : this.sealer.openText(sealedBody, sealedPlace(keptReplies, [scope, key]))
  }
}

function replay({ status, headers, body }: Omit<StoredReply, 'sealedBody'>, reply: FastifyReply): unknown {
  reply.header('idempotency-replayed', 'true')
  const value: unknown = body === null ? undefined : JSON.parse(body)
  if (status >= 400) return new StoredProblem(status, headers, value)
  reply.headers(headers)
  return value
}

function headersOf(reply: FastifyReply): Record<string, string> {
  const found = keptHeaders.map((name) => [name, reply.getHeader(name)] as const)
  return Object.fromEntries(
    found.filter((entry): entry is readonly [(typeof keptHeaders)[number], string] => !!entry[1]),
  )
}
