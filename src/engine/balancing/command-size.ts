import { MAX_CERTIFICATES } from '../../wire/balancing/intent.js'
import { MAX_FRAME_CHARS } from '../../wire/session.js'
import { Conflict } from '../platform/errors.js'
import type { applyOf } from './intent.js'

/** For what a command has around its payload. */
const ROOM_CHARS = 65_536

/**
 * A host is told of a balancer whole, in one frame: a larger one would cut its session each time it came.
 * @throws Conflict `too-large`
 */
export function requireFrame(payload: ReturnType<typeof applyOf>, keys: Readonly<Record<string, string>>): void {
  const certificates = payload.balancer.certificates.length
  if (certificates > MAX_CERTIFICATES)
    throw tooLarge(`it shows ${certificates} certificates, and ${MAX_CERTIFICATES} are the most`)
  const chars = JSON.stringify({ ...payload, keys }).length
  const most = MAX_FRAME_CHARS - ROOM_CHARS
  if (chars > most) throw tooLarge(`all that is said of it takes ${chars} characters, and ${most} are the most`)
}

const tooLarge = (message: string): Conflict =>
  new Conflict(`the load balancer would be too large: ${message}`, 'too-large')
