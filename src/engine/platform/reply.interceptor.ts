import type { CallHandler, ExecutionContext, NestInterceptor } from '@nestjs/common'
import type { FastifyReply } from 'fastify'
import { map, type Observable } from 'rxjs'
import { etagOf } from './etag.js'
import { OPERATION, type OperationOptions } from './openapi.js'
import { Reply } from './reply.js'

/** Takes a `Reply` apart, and sets the ETag of operations that have one. */
export class ReplyInterceptor implements NestInterceptor {
  intercept(context: ExecutionContext, next: CallHandler): Observable<unknown> {
    if (context.getType() !== 'http') return next.handle()
    const options: OperationOptions | undefined = Reflect.getMetadata(OPERATION, context.getHandler())
    const reply = context.switchToHttp().getResponse<FastifyReply>()
    return next.handle().pipe(map((value: unknown) => unwrap(value, reply, options?.etag === true)))
  }
}

function unwrap(value: unknown, reply: FastifyReply, withEtag: boolean): unknown {
  const body: unknown = value instanceof Reply ? value.body : value
  if (value instanceof Reply) reply.headers(value.headers)
  const generation = withEtag ? (body as { generation?: unknown } | null | undefined)?.generation : undefined
  if (typeof generation === 'number') reply.header('etag', etagOf(generation))
  return body
}
