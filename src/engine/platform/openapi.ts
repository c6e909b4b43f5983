import { applyDecorators, Controller, HttpCode, Param, type Type } from '@nestjs/common'
import { RouteConfig } from '@nestjs/platform-fastify'
import { ApiOperation, type ApiOperationOptions, ApiParam, ApiProduces, ApiResponse, ApiTags } from '@nestjs/swagger'
import type { Allow } from './caller.js'
import type { Face } from './faces.js'
import type { ProblemType } from './problems.js'
import type { SharedLimit } from './shared-limits.js'
import { UuidPipe } from './validation.js'

/** What a route is to its callers. Errors that follow from its shape are not repeated: `openapi-document.ts` adds them. */
export interface OperationOptions {
  /** `<noun>.<verb>`, unique. */
  readonly id: string
  readonly summary: string
  readonly description?: string
  /** The one decision about who may call it. */
  readonly allow: Allow
  /** Whose credentials and manners it has; ours where it says nothing. */
  readonly face?: Face
  /** Nobody calls it too often. What is worth guessing at is counted by its service: `SharedLimits`. */
  readonly limit?: 'none'
  /** What its service counts attempts by: an address that is locked out is refused before its body is read. */
  readonly guesses?: SharedLimit
  /** Also for somebody who has to choose a new password first. */
  readonly whilePasswordIsDue?: true
  /** Status of success and what it carries: a view class, or a media type that is not JSON. */
  readonly reply: readonly [status: number, body?: Type | string]
  /** What goes wrong beside bad input, a missing thing named in the path, a failed If-Match and an outage. */
  readonly errors?: readonly ProblemType[]
  /** The reply carries the ETag of its body's `generation`. */
  readonly etag?: boolean
  /** Shows a secret once: what is kept of the reply for its Idempotency-Key is sealed. */
  readonly secretReply?: true
  /** An Idempotency-Key is not heeded: what the call does must not be undone with it, or its body not be kept. */
  readonly everyTime?: true
  /** Instead of the examples that the properties of the classes make up. */
  readonly example?: unknown
  readonly requestExample?: unknown
}

/** Where the options lie, on the handler for interceptors and tests, in the raw document for its completion. */
export const OPERATION = 'x-keelson-operation'

/** Where the document tells the decision to programs, as it stands in the source. */
export const ALLOW = 'x-allow'

/** The one decorator that a route needs beside its method and path. */
export function Operation(options: OperationOptions): MethodDecorator {
  const [status, body] = options.reply
  const mediaType = typeof body === 'string' ? body : undefined
  const documented = { operationId: options.id, summary: options.summary, description: options.description }
  return applyDecorators(
    // an extension of ours, taken out again when the document is completed
    ApiOperation({ ...documented, [OPERATION]: options } as ApiOperationOptions),
    ...(mediaType ? [ApiProduces(mediaType)] : []),
    ApiResponse({
      status,
      description: options.summary,
      ...(mediaType ? { schema: { type: mediaType === 'application/json' ? 'object' : 'string' } } : { type: body }),
    }),
    HttpCode(status),
    // for the gate, which is asked before there is a handler
    RouteConfig({ operation: options }),
    (_target: object, _key: string | symbol, descriptor: PropertyDescriptor) =>
      Reflect.defineMetadata(OPERATION, options, descriptor.value),
  )
}

const tagDescriptions = new Map<string, string>()

/** A section of the document. Its description is given once, wherever. */
export function Tag(name: string, description?: string): ClassDecorator {
  if (description) tagDescriptions.set(name, description)
  return ApiTags(name)
}

export const tagDescription = (name: string): string | undefined => tagDescriptions.get(name)

/** A controller below `/api/v1`, in a section of the document. */
export function RestController(path: string, tag: string, description?: string): ClassDecorator {
  return applyDecorators(Controller(`api/v1/${path}`), Tag(tag, description))
}

/** A UUID in the path; anything else is 422. */
export function IdParam(name = 'id', description?: string): ParameterDecorator {
  return (target, key, index) => {
    if (!key) throw new Error(`IdParam ${name} is for methods`)
    Param(name, UuidPipe)(target, key, index)
    const descriptor = Object.getOwnPropertyDescriptor(target, key)
    if (descriptor) ApiParam({ name, description, schema: { type: 'string', format: 'uuid' } })(target, key, descriptor)
  }
}
