import { Injectable, Logger } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import * as oidc from 'openid-client'
import { AuditedCall } from '../platform/audited-call.js'
import { subjectOf } from '../platform/client-address.js'
import { Database } from '../platform/database.js'
import { DomainError } from '../platform/errors.js'
import { problemReply } from '../platform/problem.js'
import { problemTypeOf } from '../platform/problems.js'
import { Sealer } from '../platform/sealing.js'
import { SharedLimits } from '../platform/shared-limits.js'
import { Audit } from './audit.service.js'
import type { IdentityProvider } from './identity-provider.entity.js'
import { IdentityProviders } from './identity-providers.service.js'
import {
  ATTEMPT_SECONDS,
  endAttempt,
  type OidcAttempt,
  readAttempt,
  refused,
  safePath,
  writeAttempt,
} from './oidc-attempt.js'
import { OidcClient, unavailable } from './oidc-client.js'
import { type Claims, OidcUsers } from './oidc-users.js'
import { WebSessions } from './web-sessions.js'

/** Where the browser goes next, and the cookies that it takes along. */
export interface Onward {
  readonly location: string
  readonly cookies: string[]
}

/** Signing in through an OIDC provider: the code flow with PKCE, state and nonce (RFC 9700, 2.1.1). */
@Injectable()
export class OidcSignIn {
  private readonly log = new Logger(OidcSignIn.name)

  constructor(
    private readonly providers: IdentityProviders,
    private readonly client: OidcClient,
    private readonly users: OidcUsers,
    private readonly sessions: WebSessions,
    private readonly database: Database,
    private readonly sealer: Sealer,
    private readonly limits: SharedLimits,
    private readonly audit: Audit,
  ) {}

  async begin(name: string, returnTo: string | undefined, request: FastifyRequest): Promise<Onward> {
    const provider = await this.providers.requireEnabled(name)
    const attempt: OidcAttempt = {
      providerId: provider.id,
      state: oidc.randomState(),
      nonce: oidc.randomNonce(),
      codeVerifier: oidc.randomPKCECodeVerifier(),
      returnTo: safePath(returnTo),
      untilMs: Date.now() + ATTEMPT_SECONDS * 1_000,
    }
    const parameters = {
      redirect_uri: callbackOf(provider, request),
      scope: ['openid', ...provider.scopes].join(' '),
      state: attempt.state,
      nonce: attempt.nonce,
      code_challenge: await oidc.calculatePKCECodeChallenge(attempt.codeVerifier),
      code_challenge_method: 'S256',
    }
    const location = await this.client.with(provider, async (config) => oidc.buildAuthorizationUrl(config, parameters))
    return { location: location.href, cookies: [writeAttempt(request, this.sealer, attempt)] }
  }

  async finish(name: string, request: FastifyRequest): Promise<Onward> {
    const provider = await this.providers.requireEnabled(name)
    const attempt = readAttempt(request, this.sealer, provider.id)
    // only what this browser has begun: any page can send it here
    const cookie = await this.audited(request, async (call) => {
      const ask = () => this.claimsOf(provider, attempt, request)
      const claims = await this.limits.guess('sign-in', subjectOf(request), ask)
      return this.open(provider, claims, call)
    })
    return { location: attempt.returnTo, cookies: [cookie, endAttempt(request)] }
  }

  private async open(provider: IdentityProvider, claims: Claims, call: AuditedCall): Promise<string> {
    return this.database.transaction(async (tx) => {
      const { id: userId, name } = await this.users.signedIn(tx, provider, claims)
      call.by({ userId, name, tokenId: null })
      call.about(`user/${userId}`)
      await this.audit.recordLogin(tx, call, { status: 302, problem: null })
      const { cookie } = await this.sessions.open(tx, { userId, providerId: provider.id }, call.request)
      return cookie
    })
  }

  /** A login is a change, though a browser comes back by a GET. */
  private async audited<T>(request: FastifyRequest, work: (call: AuditedCall) => Promise<T>): Promise<T> {
    const call = new AuditedCall(request)
    call.operation = 'session.finishOidc'
    try {
      return await work(call)
    } catch (error) {
      const { status, body } = problemReply(error, request)
      this.audit.refusedLogin(call, { status, problem: problemTypeOf(body) })
      throw error
    }
  }

  private async claimsOf(provider: IdentityProvider, attempt: OidcAttempt, request: FastifyRequest): Promise<Claims> {
    const { search } = new URL(request.url, 'http://plane.invalid')
    const url = new URL(callbackOf(provider, request) + search)
    try {
      return await this.client.with(provider, async (config) => {
        const tokens = await oidc.authorizationCodeGrant(config, url, {
          expectedState: attempt.state,
          expectedNonce: attempt.nonce,
          pkceCodeVerifier: attempt.codeVerifier,
          idTokenExpected: true,
        })
        const claims = tokens.claims()
        if (!claims) throw refused('the identity provider sent no ID token')
        return completed(config, provider, claims, tokens.access_token)
      })
    } catch (error) {
      if (error instanceof DomainError) throw error
      this.log.warn({ err: faultOf(error), provider: provider.name }, 'an identity provider signed nobody in')
      throw reasonOf(error, provider)
    }
  }
}

/** Some providers say groups and names at their userinfo endpoint alone. */
async function completed(
  config: oidc.Configuration,
  { nameClaim, groupsClaim }: IdentityProvider,
  claims: Claims,
  accessToken: string,
): Promise<Claims> {
  const whole = [nameClaim, groupsClaim].every((claim) => claims[claim] !== undefined)
  if (whole || !config.serverMetadata().userinfo_endpoint) return claims
  return { ...(await oidc.fetchUserInfo(config, accessToken, claims.sub)), ...claims }
}

function callbackOf({ name, publicUrl }: IdentityProvider, request: FastifyRequest): string {
  const plane = publicUrl ?? `${request.protocol}://${request.host}`
  return `${plane.replace(/\/+$/, '')}/api/v1/session/oidc/${name}/callback`
}

/** In our words: what a provider says may hold anything. */
function reasonOf(error: unknown, provider: IdentityProvider): DomainError {
  const code = codeOf(error)
  if (code === 'OAUTH_TIMEOUT' || code === 'OAUTH_ABORT' || isNetworkFault(error)) return unavailable(provider)
  if (error instanceof oidc.AuthorizationResponseError) {
    return refused(
      error.error === 'access_denied' ? 'access was denied at the identity provider' : 'the identity provider refused',
    )
  }
  if (error instanceof oidc.ResponseBodyError) {
    return refused('the identity provider does not take the code: it was used, is too old, or is of another client')
  }
  return refused('the answer of the identity provider does not belong to this sign-in, or cannot be verified')
}

const isNetworkFault = (error: unknown): boolean =>
  error instanceof TypeError && (error.message === 'fetch failed' || error.message === 'terminated')

const codeOf = (error: unknown): string | undefined => (error as { code?: string } | null)?.code

/** For the log: class, code and message, and not the reply that they are about, which holds tokens. */
function faultOf(error: unknown): Record<string, unknown> {
  const { name, message, code } = error as { name?: string; message?: string; code?: string }
  const cause = (error as { cause?: { message?: unknown } } | null)?.cause?.message
  return { type: name, message, code, cause: typeof cause === 'string' ? cause : undefined }
}
