import { applyDecorators, Controller } from '@nestjs/common'
import { ApiExcludeController } from '@nestjs/swagger'
import type { FastifyRequest } from 'fastify'
import type { Allow } from '../../platform/caller.js'
import { Operation } from '../../platform/openapi.js'
import type { Asked } from './reading.service.js'

/** Below `/v2.0/lbaas` and its alias. The face is described by Octavia's own reference, and not in our document. */
export const OctaviaController = (path: string): ClassDecorator => Face(`v2.0/lbaas/${path}`, `v2/lbaas/${path}`)

export const Face = (...paths: readonly string[]): ClassDecorator =>
  applyDecorators(Controller([...paths]), ApiExcludeController())

/**
 * A route of this face: who may call it, and how success is answered. Its clients know no Idempotency-Key.
 * @param id `<noun>.<verb>`
 */
export const Octavia = (id: string, allow: Allow, status = 200): MethodDecorator =>
  Operation({ id: `octavia.${id}`, summary: id, allow, face: 'octavia', reply: [status], everyTime: true })

export const viewer: Allow = { project: 'viewer' }
export const operator: Allow = { project: 'operator' }
/** Also of the plane: the service holds against the caller what only its administrators may (`requireKeeper`). */
export const keeper: Allow = { project: 'admin' }

/** Where a list was asked for, as its links have to name it. */
export function askedOf(request: FastifyRequest): Asked {
  const path = request.url.split('?', 1)[0] ?? ''
  return { url: `${request.protocol}://${request.host}${path}`, query: request.query as Asked['query'] }
}
