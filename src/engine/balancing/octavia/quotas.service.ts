import { Injectable } from '@nestjs/common'
import { Project } from '../../identity/project.entity.js'
import { Projects } from '../../identity/projects.service.js'
import { type Limits, type QuotaResource } from '../../identity/quota-resources.js'
import { type Caller, mayInPlane, mayInProject } from '../../platform/caller.js'
import { Database } from '../../platform/database.js'
import { PreconditionFailed } from '../../platform/errors.js'
import { etagOf } from '../../platform/etag.js'
import { numberOf, refused, unwrap } from './input.js'
import { requireKeeper } from './keeper.js'
import { isUuid } from './list-sql.js'
import { type Asked, missing, OctaviaReading } from './reading.service.js'
import { type Attribute, id, type Resource } from './resource.js'

/** By every name that clients know it by. */
const names = {
  load_balancer: 'loadBalancers',
  loadbalancer: 'loadBalancers',
  listener: 'listeners',
  pool: 'pools',
  member: 'members',
  health_monitor: 'healthMonitors',
  healthmonitor: 'healthMonitors',
  l7policy: 'l7Policies',
  l7rule: 'l7Rules',
} as const satisfies Record<string, QuotaResource>

const ours: readonly QuotaResource[] = [...new Set(Object.values(names))]
const UNLIMITED = -1
const MOST = 2_000_000_000
const ATTEMPTS = 3

const limit = (resource: QuotaResource): Attribute => ({
  kind: 'integer',
  sql: `coalesce((t.limits ->> '${resource}')::int, ${UNLIMITED})`,
})

/** Those that somebody has set. */
const quotas: Resource = {
  ...{ noun: 'Quotas', one: 'quota', many: 'quotas', ofProject: true, key: 'project_id' },
  table: `(SELECT id, id AS project_id, created_at, limits FROM projects
    WHERE limits ?| ARRAY[${ours.map((resource) => `'${resource}'`).join(', ')}])`,
  attributes: {
    ...Object.fromEntries(Object.entries(names).map(([name, resource]) => [name, limit(resource)])),
    project_id: id('project_id'),
    tenant_id: id('project_id'),
  },
}

/** What Octavia calls the quota of a project: the limits of its load balancing, -1 where there is none. */
@Injectable()
export class OctaviaQuotas {
  constructor(
    private readonly database: Database,
    private readonly projects: Projects,
    private readonly reading: OctaviaReading,
  ) {}

  /** Of projects that have limits of their own. */
  list(caller: Caller, asked: Asked) {
    return this.reading.list(caller, quotas, asked)
  }

  /** What a project has that nobody limited. */
  defaults = () => ({ quota: shown({}) })

  async get(caller: Caller, projectId: string) {
    if (!mayInPlane(caller, 'viewer') && !mayInProject(caller, projectId.toLowerCase(), 'viewer'))
      throw missing('Project', projectId)
    const project = await this.find(projectId)
    return { quota: shown(project?.limits ?? {}) }
  }

  async put(caller: Caller, projectId: string, body: unknown) {
    requireKeeper(caller)
    const wanted = readQuota(body)
    return { quota: shown(await this.change(projectId, wanted)) }
  }

  /** Back to what it has that nobody limited. */
  async delete(caller: Caller, projectId: string): Promise<void> {
    requireKeeper(caller)
    const { limits } = await this.require(projectId)
    if (!ours.some((resource) => limits[resource] !== undefined)) throw missing('Quotas', projectId)
    await this.change(projectId, Object.fromEntries(ours.map((resource) => [resource, null])))
  }

  /** The rest of the limits stays: should somebody change them in between, it is read again. */
  private async change(projectId: string, wanted: Readonly<Record<string, number | null>>): Promise<Limits> {
    for (let attempt = 1; ; attempt++) {
      const { id, limits, limitsGeneration } = await this.require(projectId)
      const ifMatch = { any: false, tags: [etagOf(limitsGeneration)] }
      try {
        return (await this.projects.limit(id, { ...limits, ...wanted }, ifMatch)).project.limits
      } catch (error) {
        if (!(error instanceof PreconditionFailed) || attempt === ATTEMPTS) throw error
      }
    }
  }

  private async require(projectId: string): Promise<Project> {
    const project = await this.find(projectId)
    if (!project) throw missing('Project', projectId)
    return project
  }

  private async find(projectId: string): Promise<Project | null> {
    return isUuid(projectId) ? this.database.dataSource.manager.findOneBy(Project, { id: projectId }) : null
  }
}

const shown = (limits: Limits): Record<string, number> =>
  Object.fromEntries(Object.entries(names).map(([name, resource]) => [name, limits[resource] ?? UNLIMITED]))

/** Null: no limit, as -1 says it. @throws BadInput */
function readQuota(body: unknown): Record<string, number | null> {
  const given = Object.entries(unwrap('quota', body)).filter(([name]) => name !== 'project_id' && name !== 'tenant_id')
  return Object.fromEntries(
    given.map(([name, value]) => {
      if (!Object.hasOwn(names, name)) throw refused(name, `Unknown attribute: ${name}`)
      const limit = value === null ? UNLIMITED : numberOf(value)
      if (!Number.isInteger(limit) || limit < UNLIMITED || limit > MOST)
        throw refused(name, `It is a whole number from ${UNLIMITED}`)
      return [names[name as keyof typeof names], limit === UNLIMITED ? null : limit]
    }),
  )
}
