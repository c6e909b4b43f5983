import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { NotFound } from '../platform/errors.js'
import { declareIfMatch, type IfMatch, ifMatch } from '../platform/etag.js'

/** How a change is to be made, beside what it is. */
export interface HowAsked {
  readonly ifMatch: IfMatch | null
  readonly coalesce: boolean
  /** How long the reply may wait for the change to be in force. */
  readonly waitMs: number
  readonly face: 'native'
}

const MAX_WAIT_SECONDS = 60
const WAIT = /^wait\s*=\s*"?(\d{1,9})"?$/

/** RFC 7240: a list with commas; what is not understood is not heeded. */
export function preferencesIn(header: string | undefined): Pick<HowAsked, 'coalesce' | 'waitMs'> {
  const said = (header ?? '').split(',').map((one) => one.trim().toLowerCase())
  const seconds = said.flatMap((one) => WAIT.exec(one)?.[1] ?? []).map(Number)
  return { coalesce: said.includes('coalesce'), waitMs: Math.min(seconds[0] ?? 0, MAX_WAIT_SECONDS) * 1_000 }
}

/** What was waited for, or null when it went meanwhile. */
export function unlessGone<T>(found: Promise<T>): Promise<T | null> {
  return found.catch((error: unknown) => {
    if (error instanceof NotFound) return null
    throw error
  })
}

function askedBy({ headers }: FastifyRequest): HowAsked {
  const { prefer } = headers
  const preferences = preferencesIn(Array.isArray(prefer) ? prefer.join(',') : prefer)
  return { ifMatch: ifMatch(headers['if-match']), ...preferences, face: 'native' }
}

const requestOf = (context: ExecutionContext) => context.switchToHttp().getRequest<FastifyRequest>()

const fromHeaders = createParamDecorator((_: unknown, context: ExecutionContext) => askedBy(requestOf(context)))
const fromWait = createParamDecorator((_: unknown, context: ExecutionContext): HowAsked => {
  const { waitMs } = askedBy(requestOf(context))
  return { ifMatch: null, coalesce: false, waitMs, face: 'native' }
})

const WAITING = '`wait=10`: the reply comes when it is in force or has failed, or after so many seconds (60 at most).'
const COALESCING = '`coalesce`: a change to a pending load balancer goes into its next generation.'

const preferHeader = (description: string): MethodDecorator =>
  ApiHeader({ name: 'Prefer', required: false, description, example: 'wait=10' })

/** Gives the handler its `HowAsked`, and declares the headers. */
export const HowHeaders = (): ParameterDecorator =>
  declared(fromHeaders(), [declareIfMatch, preferHeader(`${COALESCING} ${WAITING}`)])

/** The same of what has no version yet, or needs none: the caller may wait for it. */
export const WaitHeader = (): ParameterDecorator => declared(fromWait(), [preferHeader(WAITING)])

function declared(given: ParameterDecorator, declarations: readonly MethodDecorator[]): ParameterDecorator {
  return (target, key, index) => {
    given(target, key, index)
    const descriptor = key && Object.getOwnPropertyDescriptor(target, key)
    if (!key || !descriptor) throw new Error('what says how a change is made is for methods')
    for (const declare of declarations) declare(target, key, descriptor)
  }
}
