import { Injectable } from '@nestjs/common'
import type { FastifyRequest } from 'fastify'
import { Events } from '../events/events.service.js'
import { currentCall } from '../platform/audited-call.js'
import type { Caller } from '../platform/caller.js'
import { subjectOf } from '../platform/client-address.js'
import { Database } from '../platform/database.js'
import { Forbidden, Unauthenticated } from '../platform/errors.js'
import { Origins } from '../platform/origin.js'
import { SharedLimits } from '../platform/shared-limits.js'
import { Authentication } from './authentication.js'
import { isOutdated, PasswordHashing } from './password-hashing.js'
import { requireGoodPassword } from './passwords.js'
import type { PasswordChange, SignInRequest } from './session.dto.js'
import { SignInLimits } from './sign-in-limits.js'
import { User } from './user.entity.js'
import { WebSessions } from './web-sessions.js'

/** Signing in by password, and the password itself. */
@Injectable()
export class SignIn {
  constructor(
    private readonly database: Database,
    private readonly byAddress: SharedLimits,
    private readonly byUser: SignInLimits,
    private readonly hashing: PasswordHashing,
    private readonly sessions: WebSessions,
    private readonly events: Events,
    private readonly authentication: Authentication,
    private readonly origins: Origins,
  ) {}

  /** @throws Unauthenticated, alike for an unknown, disabled or locked user and for a wrong password */
  async byPassword(
    { name, password }: SignInRequest,
    request: FastifyRequest,
  ): Promise<{ id: string; cookie: string }> {
    this.origins.refuseOtherSites(request)
    const user = await this.database.dataSource.manager.findOneBy(User, { name: name.toLowerCase(), kind: 'person' })
    // what was typed as a name may be a password: a failure names the account, or nobody
    if (user) currentCall()?.about(`user/${user.id}`)
    const { id: userId, passwordHash } = await this.requireRight(user, password, request)
    return this.database.transaction(async (tx) => {
      // who was given another password meanwhile, or was disabled, has to come again
      const where = { id: userId, passwordHash, disabled: false }
      const held = await tx.findOne(User, { where, lock: { mode: 'pessimistic_read' } })
      if (!held) throw wrongCredentials()
      currentCall()?.by({ userId, name: held.name, tokenId: null })
      return this.sessions.open(tx, { userId, providerId: null }, request)
    })
  }

  /**
   * Ends all sessions of the user, this one among them: whoever knew the old password is out, and so is who has copied a cookie.
   * @returns the cookie of the session that goes on instead. @throws Unauthenticated
   */
  async changePassword(caller: Caller, { current, next }: PasswordChange, request: FastifyRequest): Promise<string> {
    if (caller.userId === null || caller.sessionId === null) {
      throw new Forbidden('a password is changed by who has signed in, and not by a token')
    }
    const user = await this.database.dataSource.manager.findOneByOrFail(User, { id: caller.userId })
    const held = await this.requireRight(user, current, request)
    requireGoodPassword(next, { name: user.name, current }, 'next')
    const passwordHash = await this.hashing.hash(next)
    return this.database.transaction(async (tx) => {
      const changes = { passwordHash, mustChangePassword: false, updatedAt: new Date() }
      if ((await tx.update(User, held, changes)).affected !== 1) throw wrongCredentials()
      await this.sessions.endOfUser(tx, user.id)
      await this.events.append(tx, [
        { type: 'identity.password.changed', subject: `user/${user.id}`, payload: { name: user.name } },
      ])
      this.database.afterCommit(tx, () => this.authentication.changed())
      const { cookie } = await this.sessions.open(tx, { userId: user.id, providerId: null }, request)
      return cookie
    })
  }

  /** One verification for every attempt that its address allows, whatever there is to be found. */
  private requireRight(user: User | null, password: string, request: FastifyRequest): Promise<Held> {
    return this.byAddress.guess('sign-in', subjectOf(request), () => this.verify(user, password))
  }

  private async verify(user: User | null, password: string): Promise<Held> {
    const none = { locked: true, lockedNow: false }
    // at once: counting somebody takes a while, nobody takes none, and the hash takes longer than both
    const [{ locked, lockedNow }, right] = await Promise.all([
      user ? this.byUser.count(user.id) : none,
      this.hashing.verify(user?.passwordHash ?? null, password),
    ])
    if (!user || !right || locked || user.disabled) {
      if (user && lockedNow) await this.tellLocked(user)
      throw wrongCredentials()
    }
    await this.byUser.forgive(user.id)
    return { id: user.id, passwordHash: await this.renew(user, password) }
  }

  private async tellLocked({ id, name }: User): Promise<void> {
    await this.database.transaction((tx) =>
      this.events.append(tx, [{ type: 'identity.user.locked', subject: `user/${id}`, payload: { name } }]),
    )
  }

  /** A hash that was made at an older cost is made anew while the password is at hand. @returns the one in force */
  private async renew({ id, passwordHash }: User, password: string): Promise<string> {
    if (passwordHash === null) throw wrongCredentials()
    if (!isOutdated(passwordHash)) return passwordHash
    const renewed = await this.hashing.hash(password)
    const { affected } = await this.database.dataSource.manager.update(
      User,
      { id, passwordHash },
      { passwordHash: renewed },
    )
    return affected === 1 ? renewed : passwordHash
  }
}

/** Whose password was right, and the hash that it was held against. */
interface Held {
  readonly id: string
  readonly passwordHash: string
}

const wrongCredentials = (): Unauthenticated =>
  new Unauthenticated('the name or the password is wrong', 'wrong-credentials')
