import { createParamDecorator, type ExecutionContext, HttpException } from '@nestjs/common'
import { ApiHeader } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import { PreconditionFailed } from './errors.js'

/** An `If-Match`: any version at all, or one of these entity tags (weak ones never match, RFC 9110 13.1.1). */
export interface IfMatch {
  readonly any: boolean
  readonly tags: readonly string[]
}

/** The ETag of an intent: what is observed of the thing does not change it. */
export const etagOf = (generation: number): string => `"g${generation}"`

// entity-tag = [ "W/" ] DQUOTE *( %x21 / %x23-7E / obs-text ) DQUOTE
const listed = /^\s*(W\/)?("[\x21\x23-\x7e\x80-\xff]*")\s*(?:,|$)/

/** Null when there is none: the change is then made whatever the version. Malformed: 400. */
export function ifMatch(header: string | undefined): IfMatch | null {
  if (header === undefined) return null
  if (header.trim() === '*') return { any: true, tags: [] }
  const tags: string[] = []
  let rest = header
  while (rest.trim() !== '') {
    const found = listed.exec(rest)
    if (!found) throw new HttpException('If-Match is * or a list of quoted entity tags', 400)
    if (!found[1] && found[2]) tags.push(found[2])
    rest = rest.slice(found[0].length)
  }
  if (header.trim() === '') throw new HttpException('If-Match is empty', 400)
  return { any: false, tags }
}

/** Call it inside the transaction that changes the row, with the generation read there. */
export function requireMatch(condition: IfMatch | null, generation: number): void {
  if (!condition || condition.any || condition.tags.includes(etagOf(generation))) return
  throw new PreconditionFailed(`the current version is ${etagOf(generation)}`)
}

const fromRequest = createParamDecorator((_: unknown, context: ExecutionContext): IfMatch | null =>
  ifMatch(context.switchToHttp().getRequest<FastifyRequest>().headers['if-match']),
)

/** Gives the handler its `IfMatch | null`, and declares the header and the 412. */
export function IfMatchHeader(): ParameterDecorator {
  return (target, key, index) => {
    if (!key) throw new Error('IfMatchHeader is for methods')
    fromRequest()(target, key, index)
    const descriptor = Object.getOwnPropertyDescriptor(target, key)
    if (!descriptor) return
    declareIfMatch(target, key, descriptor)
  }
}

/** The header and the 412 in the document. */
export const declareIfMatch: MethodDecorator = ApiHeader({
  name: 'If-Match',
  required: false,
  description: 'Only if the current version is one of these; otherwise 412.',
  example: '"g7"',
})
