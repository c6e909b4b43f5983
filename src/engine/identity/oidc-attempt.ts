import type { FastifyRequest } from 'fastify'
import { Forbidden } from '../platform/errors.js'
import { signInAttempt } from '../platform/sealed-columns.js'
import { SealBroken, type Sealer } from '../platform/sealing.js'
import { readCookie, writeCookie } from './cookies.js'

/** A sign-in that is under way: what the browser took along to the provider, and must bring back. */
export interface OidcAttempt {
  readonly providerId: string
  readonly state: string
  readonly nonce: string
  readonly codeVerifier: string
  readonly returnTo: string
  readonly untilMs: number
}

export const ATTEMPT_COOKIE = 'keelson_oidc'
export const ATTEMPT_SECONDS = signInAttempt.seconds

/** Lax: it has to come along when the provider sends the browser back. */
const cookie = { path: '/api/v1/session/oidc', sameSite: 'Lax' } as const

/** Sealed, and kept by the browser alone: any replica can go on with it. */
export function writeAttempt(request: FastifyRequest, sealer: Sealer, attempt: OidcAttempt): string {
  const value = sealer.seal(JSON.stringify(attempt), signInAttempt.place)
  return writeCookie(request, ATTEMPT_COOKIE, value, { ...cookie, maxAgeSeconds: ATTEMPT_SECONDS })
}

export const endAttempt = (request: FastifyRequest): string =>
  writeCookie(request, ATTEMPT_COOKIE, '', { ...cookie, maxAgeSeconds: 0 })

/** @throws Forbidden */
export function readAttempt(request: FastifyRequest, sealer: Sealer, providerId: string): OidcAttempt {
  const sealed = readCookie(request, ATTEMPT_COOKIE)
  if (!sealed) throw refused('this browser has not begun to sign in, or took too long')
  const attempt = open(sealed, sealer)
  if (attempt.providerId !== providerId) throw refused('this browser has begun to sign in through another provider')
  if (attempt.untilMs < Date.now()) throw refused('signing in took too long: begin again')
  return attempt
}

function open(sealed: string, sealer: Sealer): OidcAttempt {
  try {
    // whatever opens was sealed by us, with this shape
    return JSON.parse(sealer.openText(sealed, signInAttempt.place)) as OidcAttempt
  } catch (error) {
    if (error instanceof SealBroken) throw refused('what this browser kept of the sign-in is not ours')
    throw error
  }
}

export const refused = (reason: string): Forbidden => new Forbidden(reason, 'sign-in-refused')

/** A path of this plane and nothing else: no other host, however it is spelled. */
export function safePath(wanted: string | undefined): string {
  if (wanted === undefined || !/^\/(?![/\\])[\x21-\x5b\x5d-\x7e]{0,500}$/.test(wanted)) return '/'
  const base = 'http://plane.invalid'
  return URL.canParse(wanted, base) && new URL(wanted, base).origin === base ? wanted : '/'
}
