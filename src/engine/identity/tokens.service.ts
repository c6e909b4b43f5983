import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { Events } from '../events/events.service.js'
import type { Caller } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { Conflict, Forbidden, NotFound, Unauthenticated } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { removeInBatches } from '../platform/retention.js'
import type { TurnEnd } from '../platform/schedules.js'
import { Settings } from '../platform/settings.js'
import { ApiToken } from './api-token.entity.js'
import { issueToken } from './api-tokens.js'
import { Authentication } from './authentication.js'
import { Project } from './project.entity.js'
import type { TokenCreate, TokenQuery } from './token.dto.js'
import { type Maker, noProject, termsOf, unbounded } from './token-limits.js'
import { User } from './user.entity.js'

const listing: Listing<ApiToken> = {
  entity: ApiToken,
  sortable: ['name', 'createdAt'],
  defaultSort: '-createdAt',
  filterable: ['name'],
}

/** Of one user; more is a program that forgets what it makes. */
const MAX_LIVE = 200

export interface IssuedToken {
  readonly row: ApiToken
  readonly text: string
}

/** API tokens: one's own, and those of services. */
@Injectable()
export class Tokens {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly settings: Settings,
    private readonly authentication: Authentication,
  ) {}

  list(userId: string, query: TokenQuery): Promise<Page<ApiToken>> {
    return page(this.database.dataSource.manager, listing, query, (rows) =>
      rows.andWhere('row.userId = :userId', { userId }),
    )
  }

  async require(userId: string, id: string, tx: Tx = this.database.dataSource.manager): Promise<ApiToken> {
    const token = await tx.findOneBy(ApiToken, { id, userId })
    if (!token) throw new NotFound(`token ${id}`)
    return token
  }

  /** For the caller themselves; by token, none that may more than that one. */
  async createOwn(caller: Caller, asked: TokenCreate): Promise<IssuedToken> {
    return this.database.transaction(async (tx) => {
      const userId = ownOf(caller)
      const maker = caller.tokenId === null ? unbounded : await this.require(userId, caller.tokenId, tx)
      return this.issue(tx, userId, asked, caller, maker)
    })
  }

  /** For a service, by an administrator. Nobody makes tokens in the name of another person. */
  async createForService(userId: string, asked: TokenCreate, caller: Caller): Promise<IssuedToken> {
    return this.database.transaction(async (tx) => {
      const user = await tx.findOneBy(User, { id: userId })
      if (!user) throw new NotFound(`user ${userId}`)
      if (user.kind === 'person') throw new Conflict(`${user.name} is a person, who makes tokens of their own`)
      return this.issue(tx, userId, asked, caller, unbounded)
    })
  }

  /** As a user that is there: a list of nobody's tokens is not empty, but not found. */
  async requireUser(userId: string): Promise<string> {
    if (!(await this.database.dataSource.manager.existsBy(User, { id: userId }))) throw new NotFound(`user ${userId}`)
    return userId
  }

  /** One that was made for less than its user may ends itself, and no other. @throws Forbidden */
  async revokeOwn(caller: Caller, id: string): Promise<void> {
    const userId = ownOf(caller)
    if (caller.tokenId !== null && caller.tokenId !== id) {
      const { role, projectId } = await this.require(userId, caller.tokenId)
      await this.require(userId, id)
      if (role !== null || projectId !== null)
        throw new Forbidden('a token for less than its user may ends itself alone')
    }
    await this.revoke(userId, id)
  }

  /** From now on, on every replica. It stays in the list for a while. */
  async revoke(userId: string, id: string): Promise<void> {
    await this.database.transaction(async (tx) => {
      const token = await this.require(userId, id, tx)
      const revoked: [unknown[], number] = await tx.query(
        'UPDATE api_tokens SET revoked_at = now() WHERE id = $1 AND revoked_at IS NULL',
        [id],
      )
      if (revoked[1] > 0) await this.tell(tx, 'identity.token.revoked', token)
    })
  }

  async removeEnded(): Promise<TurnEnd> {
    return removeInBatches(
      this.database,
      `DELETE FROM api_tokens WHERE id IN (
         SELECT id FROM api_tokens
         WHERE least(expires_at, revoked_at) < now() - $1::float8 * interval '1 millisecond' LIMIT $2)`,
      [this.settings.get('identity.tokenRetentionMs')],
    )
  }

  private async issue(tx: Tx, userId: string, asked: TokenCreate, caller: Caller, maker: Maker): Promise<IssuedToken> {
    // one at a time for a user, so that the count holds; who is being removed gets none
    const user = await tx.findOne(User, { where: { id: userId }, lock: { mode: 'for_no_key_update' } })
    if (!user) throw new NotFound(`user ${userId}`)
    const terms = termsOf(asked, caller, maker, user.kind)
    if (terms.projectId !== null && !(await tx.existsBy(Project, { id: terms.projectId }))) throw noProject()
    await this.requireRoom(tx, user)
    const issued = await issueToken(tx, { userId, name: asked.name, ...terms })
    await this.tell(tx, 'identity.token.created', issued.row)
    return issued
  }

  private async requireRoom(tx: Tx, { id, name }: User): Promise<void> {
    const [row] = await tx.query(
      `SELECT count(*)::int AS live FROM api_tokens
       WHERE user_id = $1 AND revoked_at IS NULL AND (expires_at IS NULL OR expires_at > now())`,
      [id],
    )
    if (row.live >= MAX_LIVE) throw new Conflict(`${name} has ${MAX_LIVE} tokens already: revoke some first`)
  }

  private async tell(tx: Tx, type: EventType, { id, userId, name }: ApiToken): Promise<void> {
    await this.events.append(tx, [{ type, subject: `user/${userId}`, payload: { tokenId: id, name } }])
    this.database.afterCommit(tx, () => this.authentication.changed())
  }
}

/** @throws Unauthenticated for who has not signed in: the routes' guard has asked before */
export function ownOf({ userId }: Caller): string {
  if (userId === null) throw new Unauthenticated('nobody has signed in')
  return userId
}
