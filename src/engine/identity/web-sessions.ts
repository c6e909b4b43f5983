import { randomUUID } from 'node:crypto'
import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { addressOf } from '../platform/client-address.js'
import { Database, type Tx } from '../platform/database.js'
import { Forbidden } from '../platform/errors.js'
import { Settings } from '../platform/settings.js'
import { Authentication, SESSION_COOKIE, SESSION_PREFIX } from './authentication.js'
import { writeCookie } from './cookies.js'
import { hashOf, newSecret, writeCredential } from './secrets.js'
import { WebSession } from './web-session.entity.js'

const cookie = { path: '/', sameSite: 'Strict' } as const

/** Of whom, and through what: null is by password. */
export interface NewSession {
  readonly userId: string
  readonly providerId: string | null
}

/** Browsers that have signed in. Each end is known to every replica within moments of its commit. */
@Injectable()
export class WebSessions {
  constructor(
    private readonly database: Database,
    private readonly settings: Settings,
    private readonly authentication: Authentication,
  ) {}

  /** @returns the session's id, and the cookie that is the session */
  async open(
    tx: Tx,
    { userId, providerId }: NewSession,
    request: FastifyRequest,
  ): Promise<{ id: string; cookie: string }> {
    const id = randomUUID()
    const secret = newSecret()
    const idleMs = Math.min(this.settings.get('identity.sessionIdleMs'), this.lifetimeOf(providerId))
    await tx.insert(WebSession, {
      id,
      userId,
      providerId,
      secretHash: hashOf(secret),
      address: addressOf(request),
      expiresAt: () => `now() + interval '${idleMs} milliseconds'`,
    })
    await tx.query('UPDATE users SET last_login_at = now() WHERE id = $1', [userId])
    const value = writeCredential(SESSION_PREFIX, { id, secret })
    return { id, cookie: writeCookie(request, SESSION_COOKIE, value, cookie) }
  }

  /** @param id null: a token calls. @returns the cookie that takes the session's away. @throws Forbidden */
  async end(id: string | null, request: FastifyRequest): Promise<string> {
    if (id === null) throw new Forbidden('who signs out has signed in: a token is revoked')
    await this.database.transaction(async (tx) => {
      await tx.delete(WebSession, { id })
      this.forget(tx)
    })
    return writeCookie(request, SESSION_COOKIE, '', { ...cookie, maxAgeSeconds: 0 })
  }

  async endOfUser(tx: Tx, userId: string): Promise<void> {
    await tx.delete(WebSession, { userId })
    this.forget(tx)
  }

  async endOfProvider(tx: Tx, providerId: string): Promise<void> {
    await tx.delete(WebSession, { providerId })
    this.forget(tx)
  }

  async removeExpired(): Promise<void> {
    const lifetimeMs = this.settings.get('identity.sessionLifetimeMs')
    await this.database.query(
      'identity_remove_sessions',
      `DELETE FROM web_sessions WHERE expires_at <= now() OR created_at <= now() - $1::float8 * interval '1 millisecond'`,
      [lifetimeMs],
    )
  }

  /** What a provider says of somebody is true for a while: then they have to come by it again. */
  private lifetimeOf(providerId: string | null): number {
    const lifetimeMs = this.settings.get('identity.sessionLifetimeMs')
    if (providerId === null) return lifetimeMs
    return Math.min(lifetimeMs, this.settings.get('identity.providerSessionLifetimeMs'))
  }

  private forget(tx: Tx): void {
    this.database.afterCommit(tx, () => this.authentication.changed())
  }
}
