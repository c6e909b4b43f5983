import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'
import type { Caller } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { requireAnotherAdministrator } from './administrators.js'
import { Authentication } from './authentication.js'
import { giveOneTimePassword } from './one-time-password.js'
import { PasswordHashing } from './password-hashing.js'
import { newOneTimePassword } from './passwords.js'
import type { UserCreate, UserQuery, UserUpdate } from './user.dto.js'
import { User } from './user.entity.js'
import { WebSessions } from './web-sessions.js'

const listing: Listing<User> = {
  entity: User,
  sortable: ['name', 'kind', 'createdAt', 'lastLoginAt'],
  defaultSort: 'name',
  filterable: ['name', 'kind', 'disabled'],
}

/** People and services, and what an administrator does with their accounts. */
@Injectable()
export class Users {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly hashing: PasswordHashing,
    private readonly sessions: WebSessions,
    private readonly authentication: Authentication,
  ) {}

  list(query: UserQuery): Promise<Page<User>> {
    return page(this.database.dataSource.manager, listing, query)
  }

  async require(id: string, tx: Tx = this.database.dataSource.manager): Promise<User> {
    const user = await tx.findOneBy(User, { id })
    if (!user) throw new NotFound(`user ${id}`)
    return user
  }

  /** Without a role, and without a password until one is given. */
  async create({ kind, name, displayName = '', email = null }: UserCreate): Promise<User> {
    return this.database.transaction(async (tx) => {
      const { raw } = await tx
        .createQueryBuilder()
        .insert()
        .into(User)
        .values({ kind, name, displayName, email })
        .orIgnore()
        .returning('id')
        .execute()
      const [row] = raw as { id: string }[]
      if (!row) throw new Conflict(`a user is called ${name} already`, 'name-taken')
      const user = await this.require(row.id, tx)
      await this.tell(tx, 'identity.user.created', user)
      return user
    })
  }

  async update(id: string, change: UserUpdate, ifMatch: IfMatch | null, caller: Caller): Promise<User> {
    return this.database.transaction(async (tx) => {
      if (change.disabled) await this.requireDispensable(tx, id, caller, 'disable')
      const user = await this.lock(tx, id)
      requireMatch(ifMatch, user.generation)
      const { displayName = user.displayName, email = user.email, disabled = user.disabled } = change
      const generation = user.generation + 1
      await tx.update(User, { id }, { displayName, email, disabled, generation, updatedAt: new Date() })
      if (disabled) await this.sessions.endOfUser(tx, id)
      await this.tell(tx, 'identity.user.updated', user)
      return this.require(id, tx)
    })
  }

  async delete(id: string, ifMatch: IfMatch | null, caller: Caller): Promise<void> {
    await this.database.transaction(async (tx) => {
      await this.requireDispensable(tx, id, caller, 'remove')
      const user = await this.lock(tx, id)
      requireMatch(ifMatch, user.generation)
      await tx.delete(User, { id })
      await this.tell(tx, 'identity.user.deleted', user)
    })
  }

  /** Ends the user's sessions and unlocks the account; whoever signs in with it chooses another. */
  async resetPassword(id: string): Promise<{ name: string; oneTimePassword: string }> {
    const { name, kind } = await this.require(id)
    if (kind === 'service') throw new Conflict(`${name} is a service: it calls by API tokens, and has no password`)
    const oneTimePassword = newOneTimePassword()
    const passwordHash = await this.hashing.hash(oneTimePassword)
    return this.database.transaction(async (tx) => {
      const user = await this.lock(tx, id)
      await giveOneTimePassword(tx, id, passwordHash)
      await this.tell(tx, 'identity.password.reset', user)
      return { name, oneTimePassword }
    })
  }

  /** Before the row's own lock: all who lock administrators do so in one order. */
  private async requireDispensable(tx: Tx, id: string, caller: Caller, what: string): Promise<void> {
    if (id === caller.userId) throw new Conflict(`nobody can ${what} themselves: another administrator can`)
    await requireAnotherAdministrator(tx, id)
  }

  private async lock(tx: Tx, id: string): Promise<User> {
    const user = await tx.findOne(User, { where: { id }, lock: { mode: 'pessimistic_write' } })
    if (!user) throw new NotFound(`user ${id}`)
    return user
  }

  private async tell(tx: Tx, type: EventType, { id, name, kind }: User): Promise<void> {
    await this.events.append(tx, [{ type, subject: `user/${id}`, payload: { name, kind } }])
    this.database.afterCommit(tx, () => this.authentication.changed())
  }
}
