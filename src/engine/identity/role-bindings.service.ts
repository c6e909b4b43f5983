import { Injectable } from '@nestjs/common'
import { In, IsNull } from 'typeorm'
import type { EventType } from '../events/event-types.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { type Caller, type Role, requireInProject } from '../platform/caller.js'
import { Database, type Tx } from '../platform/database.js'
import { NotFound } from '../platform/errors.js'
import type { Listing } from '../platform/listing.js'
import { type Narrow, type Page, page } from '../platform/pages.js'
import { requireAnotherAdministrator } from './administrators.js'
import { Authentication } from './authentication.js'
import { Project } from './project.entity.js'
import { projectSubject } from './projects.service.js'
import type { NamedBinding, RoleBindingQuery } from './role-binding.dto.js'
import { RoleBinding } from './role-binding.entity.js'
import { User } from './user.entity.js'

const listing: Listing<RoleBinding> = {
  entity: RoleBinding,
  sortable: ['createdAt', 'role'],
  defaultSort: 'createdAt',
  filterable: ['role'],
}

/** Where: a project, or the whole plane (null). */
type Place = string | null

/** Who may do what where: one role for each user and place. */
@Injectable()
export class RoleBindings {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly authentication: Authentication,
  ) {}

  async ofUser(userId: string, query: RoleBindingQuery): Promise<Page<NamedBinding>> {
    const { manager } = this.database.dataSource
    if (!(await manager.existsBy(User, { id: userId }))) throw new NotFound(`user ${userId}`)
    return this.list(query, (rows) => rows.andWhere('row.userId = :userId', { userId }))
  }

  async ofProject(caller: Caller, projectId: string, query: RoleBindingQuery): Promise<Page<NamedBinding>> {
    requireInProject(caller, projectId, 'viewer', `project ${projectId}`)
    const { manager } = this.database.dataSource
    if (!(await manager.existsBy(Project, { id: projectId }))) throw new NotFound(`project ${projectId}`)
    return this.list(query, (rows) => rows.andWhere('row.projectId = :projectId', { projectId }))
  }

  async put(caller: Caller, userId: string, place: Place, role: Role): Promise<NamedBinding> {
    requireAdmin(caller, place)
    return this.database.transaction(async (tx) => {
      const user = await holdBoth(tx, userId, place)
      if (place === null && role !== 'admin') await requireAnotherAdministrator(tx, userId)
      await tx.query(
        `INSERT INTO role_bindings (user_id, project_id, role) VALUES ($1, $2, $3)
         ON CONFLICT (user_id, project_id) DO UPDATE SET role = $3, provider_id = NULL`,
        [userId, place, role],
      )
      await this.tell(tx, eventOf('identity.role.granted', user, place, { role }))
      const binding = await tx.findOneOrFail(RoleBinding, { where: at(userId, place) })
      return { ...binding, userName: user.name }
    })
  }

  async delete(caller: Caller, userId: string, place: Place): Promise<void> {
    requireAdmin(caller, place)
    await this.database.transaction(async (tx) => {
      const user = await holdBoth(tx, userId, place)
      if (place === null) await requireAnotherAdministrator(tx, userId)
      const { affected } = await tx.delete(RoleBinding, at(userId, place))
      if (!affected) throw new NotFound(`a role of user ${userId} in ${place ? `project ${place}` : 'the plane'}`)
      await this.tell(tx, roleRevoked(user, place))
    })
  }

  private async list(query: RoleBindingQuery, narrow: Narrow<RoleBinding>): Promise<Page<NamedBinding>> {
    const { manager } = this.database.dataSource
    const { items, next } = await page(manager, listing, query, narrow)
    const users = await manager.findBy(User, { id: In(items.map(({ userId }) => userId)) })
    const names = new Map(users.map(({ id, name }) => [id, name]))
    return { items: items.map((binding) => ({ ...binding, userName: names.get(binding.userId) ?? '' })), next }
  }

  /** Whoever has the role, or had it, is known as that from the commit on. */
  private async tell(tx: Tx, event: EventDraft): Promise<void> {
    await this.events.append(tx, [event])
    this.database.afterCommit(tx, () => this.authentication.changed())
  }
}

/** Whoever administers the place; for the plane the route says so already. */
function requireAdmin(caller: Caller, place: Place): void {
  requireInProject(caller, place, 'admin', place ? `project ${place}` : 'the plane')
}

const at = (userId: string, place: Place) => ({ userId, projectId: place ?? IsNull() })

/** Neither goes away before the transaction has ended. */
async function holdBoth(tx: Tx, userId: string, place: Place): Promise<User> {
  const lock = { mode: 'for_key_share' } as const
  const project = place === null || (await tx.findOne(Project, { where: { id: place }, lock }))
  if (!project) throw new NotFound(`project ${place}`)
  const user = await tx.findOne(User, { where: { id: userId }, lock })
  if (!user) throw new NotFound(`user ${userId}`)
  return user
}

export const roleRevoked = (user: Pick<User, 'id' | 'name'>, place: Place): EventDraft =>
  eventOf('identity.role.revoked', user, place)

const eventOf = (
  type: EventType,
  user: Pick<User, 'id' | 'name'>,
  place: Place,
  more: Readonly<Record<string, unknown>> = {},
): EventDraft => ({
  type,
  subject: place ? projectSubject(place) : `user/${user.id}`,
  projectId: place,
  payload: { userId: user.id, userName: user.name, ...more },
})
