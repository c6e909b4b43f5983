import { randomUUID } from 'node:crypto'
import type { IncomingMessage } from 'node:http'
import { currentContext } from '../../log/context.js'

const acceptable = /^[A-Za-z0-9._-]{1,128}$/

/** The caller's `X-Request-Id` where it may stand in a log, else one of ours. */
export function requestIdOf(request: IncomingMessage): string {
  const given = request.headers['x-request-id']
  return typeof given === 'string' && acceptable.test(given) ? given : randomUUID()
}

/** The request that the work in hand is done for; null outside of one. */
export const currentRequestId = (): string | null => currentContext().requestId ?? null
