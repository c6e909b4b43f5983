import { createParamDecorator, type ExecutionContext } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
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

const fromRequest = createParamDecorator((_: unknown, context: ExecutionContext): HowAsked => {
  const { headers } = context.switchToHttp().getRequest<FastifyRequest>()
  const prefer = headers.prefer
  const preferences = preferencesIn(Array.isArray(prefer) ? prefer.join(',') : prefer)
  return { ifMatch: ifMatch(headers['if-match']), ...preferences, face: 'native' }
})

/** Gives the handler its `HowAsked`, and declares the headers. */
export function HowHeaders(): ParameterDecorator {
  return (target, key, index) => {
    if (!key) throw new Error('HowHeaders is for methods')
    fromRequest()(target, key, index)
    const descriptor = Object.getOwnPropertyDescriptor(target, key)
    if (!descriptor) return
    declareIfMatch(target, key, descriptor)
    const description =
      '`coalesce`: a change to a pending load balancer goes into its next generation. `wait=10`: the reply comes when it is in force or has failed, or after so many seconds (60 at most).'
    ApiHeader({ name: 'Prefer', required: false, description, example: 'wait=10' })(target, key, descriptor)
  }
}
