import { Injectable, type OnModuleInit } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Access } from '../platform/access.js'
import { anonymous, type Caller } from '../platform/caller.js'
import { Database } from '../platform/database.js'
import { Unauthenticated } from '../platform/errors.js'
import { Notifications } from '../platform/notifications.js'
import { findToken, type Known } from './callers.queries.js'
import { isSecretOf, readCredential } from './secrets.js'

export const IDENTITY_CHANNEL = 'keelson_identity'
export const TOKEN_PREFIX = 'kst'

/** What a lost notification may cost: a revoked token is good for as long as that at the most. */
const REMEMBERED_MS = 2_000
const MAX_REMEMBERED = 10_000

interface Remembered {
  readonly known: Promise<Known | null>
  readonly atMs: number
}

/** Who a request is from: an API token, or nobody. Remembered for a moment, and forgotten on every change of users. */
@Injectable()
export class Authentication implements OnModuleInit {
  private readonly remembered = new Map<string, Remembered>()

  constructor(
    private readonly database: Database,
    private readonly notifications: Notifications,
    private readonly access: Access,
  ) {}

  onModuleInit(): void {
    this.notifications.listen(IDENTITY_CHANNEL, () => this.remembered.clear())
    this.access.authenticatedBy((request) => this.callerOf(request))
  }

  /** Users, roles or tokens have changed: for this replica at once, for the others within milliseconds of the commit. */
  changed(): void {
    this.remembered.clear()
    this.notifications.notify(IDENTITY_CHANNEL, 'changed')
  }

  private async callerOf(request: FastifyRequest): Promise<Caller> {
    const { authorization } = request.headers
    return authorization === undefined ? anonymous : this.byToken(authorization)
  }

  private async byToken(authorization: string): Promise<Caller> {
    const [, text = ''] = /^Bearer +(\S+)$/i.exec(authorization) ?? []
    const credential = readCredential(TOKEN_PREFIX, text)
    if (!credential) throw new Unauthenticated('the Authorization header holds no token of this plane')
    const known = await this.remember(credential.id, () => findToken(this.database, credential.id))
    if (!known || !isSecretOf(credential.secret, known.secretHash)) throw new Unauthenticated('there is no such token')
    if (isOver(known)) throw new Unauthenticated('the token has expired')
    return known.caller
  }

  private async remember(key: string, find: () => Promise<Known | null>): Promise<Known | null> {
    const now = performance.now()
    const remembered = this.remembered.get(key)
    if (remembered && now - remembered.atMs < REMEMBERED_MS) return remembered.known
    if (this.remembered.size >= MAX_REMEMBERED) this.remembered.clear()
    const known = find()
    this.remembered.set(key, { known, atMs: now })
    try {
      const found = await known
      // what does not exist is not worth the room
      if (!found) this.remembered.delete(key)
      return found
    } catch (error) {
      this.remembered.delete(key)
      throw error
    }
  }
}

const isOver = ({ expiresAt }: Known): boolean => expiresAt !== null && expiresAt.getTime() <= Date.now()
