import { HttpException } from '@nestjs/common'
import type { FastifyReply, FastifyRequest } from 'fastify'
import { auditedCallOf } from './audited-call.js'
import { isDatabaseOutage } from './database-outage.js'
import {
  Conflict,
  DomainError,
  Forbidden,
  Invalid,
  NotFound,
  PreconditionFailed,
  TooMany,
  Unauthenticated,
  Unavailable,
  Unsupported,
} from './errors.js'
import { allowedMethods } from './http-routes.js'
import { type ProblemType, problems, problemTypeOf, problemUrn } from './problems.js'

export const PROBLEM_MEDIA_TYPE = 'application/problem+json'

/** RFC 9457, with `faults` where input was bad, and whatever a domain error adds. */
export interface Problem {
  readonly type: string
  readonly title: string
  readonly status: number
  readonly detail: string
  readonly instance: string
  readonly requestId: string
  readonly [extension: string]: unknown
}

export interface ProblemReply {
  readonly status: number
  readonly headers: Readonly<Record<string, string>>
  readonly body: Problem
}

/** A reply that was given before, to be given again as it was. */
export class StoredProblem extends Error {
  constructor(
    readonly status: number,
    readonly headers: Readonly<Record<string, string>>,
    readonly body: unknown,
  ) {
    super('a stored problem')
  }
}

export function sendProblem(
  reply: FastifyReply,
  { status, headers, body }: Omit<ProblemReply, 'body'> & { body: unknown },
): void {
  const call = auditedCallOf(reply.request)
  if (call) call.problem = problemTypeOf(body)
  reply.code(status).headers(headers).type(PROBLEM_MEDIA_TYPE).send(JSON.stringify(body))
}

/** In the words of another face: the audit log is told the problem all the same. */
export function sendFault(
  reply: FastifyReply,
  problem: { body: unknown },
  fault: Omit<ProblemReply, 'body'> & { body: unknown },
) {
  const call = auditedCallOf(reply.request)
  if (call) call.problem = problemTypeOf(problem.body)
  reply.code(fault.status).headers(fault.headers).type('application/json').send(JSON.stringify(fault.body))
}

interface Told {
  readonly type: string
  readonly detail: string
  readonly base: ProblemType
  readonly extra?: Readonly<Record<string, unknown>>
  readonly headers?: Readonly<Record<string, string>>
}

/** Any error as a reply: domain errors, Nest's, Fastify's, the database's; what is none of these is 500 and says nothing. */
export function problemReply(error: unknown, request: FastifyRequest): ProblemReply {
  const { type, base, detail, extra, headers = {} } = tell(error, request)
  const { status, title } = problems[type as ProblemType] ?? problems[base]
  const instance = request.url.split('?', 1)[0] ?? ''
  const standard = { type: problemUrn(type), title, status, detail, instance, requestId: request.id }
  return { status, headers, body: { ...extra, ...standard } }
}

function tell(error: unknown, request: FastifyRequest): Told {
  if (error instanceof DomainError) return domain(error)
  const status = statusOf(error)
  if (status === 404 && request.is404) return unrouted(request)
  if (status !== undefined && status < 500) {
    const type = byStatus[status] ?? 'bad-request'
    return { type, base: type, detail: (error as Error).message }
  }
  // its error looks like that of a broken connection to the database
  if (hungUp(request)) return { type: 'bad-request', base: 'bad-request', detail: 'the caller hung up' }
  if (isDatabaseOutage(error)) return outage
  if (status === 503) return { type: 'unavailable', base: 'unavailable', detail: 'try again', headers: retryAfter(2) }
  return { type: 'internal', base: 'internal', detail: 'the cause is in the log of the engine, under the request id' }
}

/** Before all of the request was there. */
const hungUp = ({ raw }: FastifyRequest): boolean => raw.destroyed && !raw.complete

/** The problem of a class of errors, for types of theirs that `problems` does not list. */
const byClass = [
  [Unauthenticated, 'unauthenticated'],
  [Forbidden, 'forbidden'],
  [TooMany, 'too-many-requests'],
  [NotFound, 'not-found'],
  [Conflict, 'conflict'],
  [PreconditionFailed, 'precondition-failed'],
  [Invalid, 'invalid'],
  [Unsupported, 'not-supported'],
  [Unavailable, 'unavailable'],
] as const

function domain(error: DomainError): Told {
  const base = byClass.find(([kind]) => error instanceof kind)?.[1] ?? 'internal'
  return {
    type: error.type,
    base,
    detail: error.message,
    extra: error instanceof Invalid ? { ...error.extra, faults: error.faults } : error.extra,
    headers: headersOf(error),
  }
}

function headersOf(error: DomainError): Record<string, string> {
  if (error instanceof Unavailable || error instanceof TooMany) return retryAfter(error.retryAfterSeconds)
  if (error instanceof Unauthenticated) return { 'www-authenticate': 'Bearer realm="keelson"' }
  return {}
}

function unrouted(request: FastifyRequest): Told {
  const path = request.url.split('?', 1)[0] ?? ''
  const allowed = allowedMethods(request.server, path)
  if (allowed.length === 0) return { type: 'route-not-found', base: 'route-not-found', detail: `nothing is at ${path}` }
  const allow = allowed.join(', ')
  const detail = `${path} takes ${allow}`
  return { type: 'method-not-allowed', base: 'method-not-allowed', detail, headers: { allow } }
}

const byStatus: Readonly<Partial<Record<number, ProblemType>>> = {
  401: 'unauthenticated',
  403: 'forbidden',
  404: 'not-found',
  405: 'method-not-allowed',
  408: 'request-timeout',
  409: 'conflict',
  412: 'precondition-failed',
  413: 'body-too-large',
  414: 'uri-too-long',
  415: 'unsupported-media-type',
  422: 'invalid',
  429: 'too-many-requests',
  431: 'headers-too-large',
}

function statusOf(error: unknown): number | undefined {
  if (error instanceof HttpException) return error.getStatus()
  const status = (error as { statusCode?: unknown } | null)?.statusCode
  return typeof status === 'number' && error instanceof Error && error.name === 'FastifyError' ? status : undefined
}

const retryAfter = (seconds: number) => ({ 'retry-after': String(seconds) })

const outage: Told = {
  type: 'database-unavailable',
  base: 'database-unavailable',
  detail: 'nothing was changed; the same request will work when the database answers again',
  headers: retryAfter(2),
}
