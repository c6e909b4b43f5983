import { Injectable } from '@nestjs/common'
import type { EventType } from '../events/event-types.js'
import { type EventDraft, Events } from '../events/events.service.js'
import { type Caller, requireInProject, visibleProjects } from '../platform/caller.js'
import { Database, sqlState, type Tx } from '../platform/database.js'
import { Conflict, NotFound } from '../platform/errors.js'
import { type IfMatch, requireMatch } from '../platform/etag.js'
import type { Listing } from '../platform/listing.js'
import { type Page, page } from '../platform/pages.js'
import { UsersOf } from '../platform/users-of.js'
import { Authentication } from './authentication.js'
import type { ProjectCreate, ProjectQuery, ProjectUpdate } from './project.dto.js'
import { DEFAULT_PROJECT, Project } from './project.entity.js'
import { limitsOf, type QuotasPut } from './quota.dto.js'
import { Quotas, type Usage } from './quotas.js'

const listing: Listing<Project> = {
  entity: Project,
  sortable: ['name', 'createdAt'],
  defaultSort: 'name',
  filterable: ['name'],
}

const UNIQUE_VIOLATION = '23505'

export const projectSubject = (id: string): string => `project/${id}`

/** What things belong to, and what it may have of them. */
@Injectable()
export class Projects {
  constructor(
    private readonly database: Database,
    private readonly events: Events,
    private readonly users: UsersOf,
    private readonly quotas: Quotas,
    private readonly authentication: Authentication,
  ) {}

  list(caller: Caller, query: ProjectQuery): Promise<Page<Project>> {
    const ids = visibleProjects(caller)
    return page(this.database.dataSource.manager, listing, query, (rows) => {
      if (ids) rows.andWhere('row.id = ANY(:ids)', { ids })
    })
  }

  async require(caller: Caller, id: string): Promise<Project> {
    requireInProject(caller, id, 'viewer', `project ${id}`)
    const project = await this.database.dataSource.manager.findOneBy(Project, { id })
    if (!project) throw new NotFound(`project ${id}`)
    return project
  }

  async create({ name, description = '' }: ProjectCreate): Promise<Project> {
    return this.named(name, async (tx) => {
      const project = await tx.save(tx.create(Project, { name, description }))
      await this.events.append(tx, [eventOf('identity.project.created', project)])
      return project
    })
  }

  async update(id: string, change: ProjectUpdate, ifMatch: IfMatch | null): Promise<Project> {
    return this.named(change.name, async (tx) => {
      const project = await lock(tx, id, 'for_no_key_update')
      requireMatch(ifMatch, project.generation)
      const { name = project.name, description = project.description } = change
      const generation = project.generation + 1
      const changed = { name, description, generation, updatedAt: new Date() }
      await tx.update(Project, { id }, changed)
      await this.events.append(tx, [eventOf('identity.project.updated', { id, name })])
      return { ...project, ...changed }
    })
  }

  /** Refused while something belongs to it. Roles in it, and tokens that are good for it alone, end with it. */
  async delete(id: string, ifMatch: IfMatch | null): Promise<void> {
    await this.database.transaction(async (tx) => {
      // against whoever makes something in it at this moment as well
      const project = await lock(tx, id, 'pessimistic_write')
      requireMatch(ifMatch, project.generation)
      if (id === DEFAULT_PROJECT) throw new Conflict('the default project cannot be removed')
      await this.users.requireUnused(tx, 'project', id)
      await tx.delete(Project, { id })
      await this.events.append(tx, [eventOf('identity.project.deleted', project)])
      this.database.afterCommit(tx, () => this.authentication.changed())
    })
  }

  async quotasOf(caller: Caller, id: string): Promise<{ project: Project; usage: Usage }> {
    const project = await this.require(caller, id)
    return { project, usage: await this.quotas.usage(this.database.dataSource.manager, id) }
  }

  /** A limit below what is there takes nothing away: nothing more is made. */
  async limit(id: string, body: QuotasPut, ifMatch: IfMatch | null): Promise<{ project: Project; usage: Usage }> {
    return this.database.transaction(async (tx) => {
      // whoever makes things without a limit does not hold this up, however many they are
      const project = await lock(tx, id, 'for_no_key_update')
      requireMatch(ifMatch, project.limitsGeneration)
      const limits = limitsOf(body)
      const changed = { limits, limitsSettled: false, limitsGeneration: project.limitsGeneration + 1 }
      await tx.update(Project, { id }, changed)
      await this.events.append(tx, [{ ...eventOf('identity.quota.changed', project), payload: { limits } }])
      return { project: { ...project, ...changed }, usage: await this.quotas.usage(tx, id) }
    })
  }

  private async named<T>(name: string | undefined, work: (tx: Tx) => Promise<T>): Promise<T> {
    try {
      return await this.database.transaction(work)
    } catch (error) {
      if (sqlState(error) !== UNIQUE_VIOLATION) throw error
      throw new Conflict(`a project is called ${name} already`, 'name-taken')
    }
  }
}

async function lock(tx: Tx, id: string, mode: 'for_no_key_update' | 'pessimistic_write'): Promise<Project> {
  const project = await tx.findOne(Project, { where: { id }, lock: { mode } })
  if (!project) throw new NotFound(`project ${id}`)
  return project
}

const eventOf = (type: EventType, { id, name }: Pick<Project, 'id' | 'name'>): EventDraft => ({
  type,
  subject: projectSubject(id),
  projectId: id,
  payload: { name },
})
