import { Injectable, type OnModuleInit } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Access } from '../platform/access.js'
import { anonymous, type Caller } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import { isDatabaseOutage } from '../platform/database-outage.js'
import { Unauthenticated } from '../platform/errors.js'
import { Notifications } from '../platform/notifications.js'
import { Origins } from '../platform/origin.js'
import { Settings } from '../platform/settings.js'
import { findSession, findToken, type Known } from './callers.queries.js'
import { readCookie } from './cookies.js'
import { LastUse } from './last-use.js'
import { isSecretOf, readCredential } from './secrets.js'

export const IDENTITY_CHANNEL = 'keelson_identity'
export const TOKEN_PREFIX = 'kst'
export const SESSION_PREFIX = 'kss'
export const SESSION_COOKIE = 'keelson_session'

/** What a lost notification may cost: a revoked token is good for as long as that at the most. */
const REMEMBERED_MS = 2_000
/**
 * While the database is away nothing can be revoked in it: who was known is still known, for what changes nothing and needs no
 * database (the measurements, a live stream that waits). One that does not answer within this is away.
 */
const PATIENCE_MS = 1_000
const OUTAGE_MS = 3_600_000
const MAX_REMEMBERED = 10_000

const harmless: ReadonlySet<string> = new Set(['GET', 'HEAD', 'OPTIONS'])

interface Remembered {
  readonly known: Promise<Known | null>
  readonly atMs: number
}

/**
 * Who a request is from: an API token, the session of a browser, or nobody; of both, the token. Remembered for a moment, and
 * forgotten on every change of users.
 */
@Injectable()
export class Authentication implements OnModuleInit {
  private readonly remembered = new Map<string, Remembered>()
  private changes = 0
  /** As the database said last. */
  private readonly confirmed = new Map<string, { readonly known: Known; readonly atMs: number }>()

  constructor(
    private readonly database: Database,
    private readonly notifications: Notifications,
    private readonly access: Access,
    private readonly settings: Settings,
    private readonly lastUse: LastUse,
    private readonly origins: Origins,
  ) {}

  onModuleInit(): void {
    this.notifications.listen(IDENTITY_CHANNEL, (what) => {
      this.changes++
      this.remembered.clear()
      // null: listening anew, after an outage perhaps
      if (what !== null) this.confirmed.clear()
    })
    this.access.authenticatedBy((request) => this.callerOf(request))
  }

  /** Users, roles or tokens have changed: for this replica at once, for the others within milliseconds of the commit. */
  changed(): void {
    this.changes++
    this.remembered.clear()
    this.confirmed.clear()
    this.notifications.notify(IDENTITY_CHANNEL, 'changed')
  }

  private async callerOf(request: FastifyRequest): Promise<Caller> {
    const { authorization } = request.headers
    if (authorization !== undefined) return this.byToken(authorization, request)
    const cookie = readCookie(request, SESSION_COOKIE)
    return cookie === null ? anonymous : this.bySession(cookie, request)
  }

  private async byToken(authorization: string, { method }: FastifyRequest): Promise<Caller> {
    const [, text = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
    return (await this.knownByToken(text, method)).caller
  }

  /** Whose API token this is. @throws Unauthenticated */
  async knownByToken(text: string, method: string): Promise<Known> {
    const credential = readCredential(TOKEN_PREFIX, text)
    if (!credential) throw new Unauthenticated('the Authorization header holds no token of this plane')
    const known = await this.known(credential.id, () => findToken(this.database, credential.id), harmless.has(method))
    if (!known || !isSecretOf(credential.secret, known.secretHash)) throw new Unauthenticated('there is no such token')
    if (isOver(known)) throw new Unauthenticated('the token has expired')
    this.lastUse.note('token', credential.id)
    return known
  }

  private async bySession(cookie: string, request: FastifyRequest): Promise<Caller> {
    const credential = readCredential(SESSION_PREFIX, cookie)
    const lifetimeMs = this.settings.get('identity.sessionLifetimeMs')
    const known =
      credential &&
      (await this.known(
        credential.id,
        () => findSession(this.database, credential.id, lifetimeMs),
        harmless.has(request.method),
      ))
    if (!known || !isSecretOf(credential.secret, known.secretHash)) throw new Unauthenticated('the session has ended')
    // a cookie comes by itself, whoever made the browser send it
    if (!harmless.has(request.method)) this.origins.requireSameOrigin(request)
    this.lastUse.note('session', credential.id)
    return known.caller
  }

  /** @param mayBeStale whether what was known before will do while the database does not answer */
  private known(key: string, find: () => Promise<Known | null>, mayBeStale: boolean): Promise<Known | null> {
    const before = mayBeStale ? this.confirmed.get(key) : undefined
    const asked = this.remember(key, find)
    if (!before || performance.now() - before.atMs > OUTAGE_MS) return asked
    return patiently(asked, before.known).catch((error: unknown) => {
      if (isDatabaseOutage(error)) return before.known
      throw error
    })
  }

  private remember(key: string, find: () => Promise<Known | null>): Promise<Known | null> {
    const now = performance.now()
    const remembered = this.remembered.get(key)
    if (remembered && now - remembered.atMs < REMEMBERED_MS) return remembered.known
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear()
    const known = this.ask(key, find)
    this.remembered.set(key, { known, atMs: now })
    return known
  }

  private async ask(key: string, find: () => Promise<Known | null>): Promise<Known | null> {
    const asOf = this.changes
    let found: Known | null = null
    try {
      found = await find()
    } finally {
      // what does not exist is not worth the room
      if (!found) this.remembered.delete(key)
    }
    // asked before a change and answered after it: true for this call, and not for later ones
    if (asOf !== this.changes) this.remembered.delete(key)
    else this.confirm(key, found)
    return found
  }

  private confirm(key: string, found: Known | null): void {
    if (this.confirmed.size >= MAX_REMEMBERED) this.confirmed.clear()
    if (found) this.confirmed.set(key, { known: found, atMs: performance.now() })
    else this.confirmed.delete(key)
  }
}

const isOver = ({ expiresAt }: Known): boolean => expiresAt !== null && expiresAt.getTime() <= Date.now()

/** What was known before, where the answer is long in coming. The timer goes with the answer: thousands a second are asked for. */
function patiently(asked: Promise<Known | null>, before: Known): Promise<Known | null> {
  let timer: NodeJS.Timeout | undefined
  const impatience = new Promise<Known>((resolve) => {
    timer = setTimeout(resolve, PATIENCE_MS, before).unref()
  })
  return Promise.race([asked, impatience]).finally(() => clearTimeout(timer))
}
