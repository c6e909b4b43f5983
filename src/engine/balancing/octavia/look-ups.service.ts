import { Injectable } from '@nestjs/common'
import { type Caller, visibleProjects } from '../../platform/caller.js'
import { Database } from '../../platform/database.js'
import { isUuid } from './list-sql.js'
import { missing } from './reading.service.js'

const MOST = 100

interface NetworkRow {
  readonly id: string
  readonly name: string
  readonly projectId: string | null
  readonly cidr: string
  readonly gateway: string | null
}

interface ProjectRow {
  readonly id: string
  readonly name: string
  readonly description: string
}

export interface Named {
  readonly id?: string | readonly string[]
  readonly name?: string | readonly string[]
}

/** The little of other services that load-balancing clients ask for, to make ids of names. */
@Injectable()
export class OctaviaLookUps {
  constructor(private readonly database: Database) {}

  /** A network here is a network there with one subnet, of the same id. */
  async networks(caller: Caller, named: Named) {
    const rows = await this.networkRows(caller, named)
    return {
      networks: rows.map((row) => ({ ...owned(row), admin_state_up: true, status: 'ACTIVE', subnets: [row.id] })),
    }
  }

  async subnets(caller: Caller, named: Named) {
    const rows = await this.networkRows(caller, named)
    return {
      subnets: rows.map((row) => ({
        ...owned(row),
        network_id: row.id,
        cidr: row.cidr,
        gateway_ip: row.gateway,
        ip_version: row.cidr.includes(':') ? 6 : 4,
      })),
    }
  }

  async project(caller: Caller, id: string) {
    const [row] = await this.projectRows(caller, { id })
    if (!row) throw missing('Project', id)
    return { project: identified(row) }
  }

  async projects(caller: Caller, named: Named) {
    const rows = await this.projectRows(caller, named)
    return { projects: rows.map(identified), links: { next: null, previous: null } }
  }

  private async networkRows(caller: Caller, named: Named): Promise<NetworkRow[]> {
    const [ids, names] = wanted(named)
    return this.database.dataSource.manager.query(
      `SELECT id, name, project_id AS "projectId", text(cidr) AS cidr, host(gateway) AS gateway FROM networks
       WHERE ($1::uuid[] IS NULL OR project_id IS NULL OR project_id = ANY($1))
         AND ($2::uuid[] IS NULL OR id = ANY($2)) AND ($3::text[] IS NULL OR name = ANY($3))
       ORDER BY name, id LIMIT ${MOST}`,
      [visibleProjects(caller), ids, names],
    )
  }

  private async projectRows(caller: Caller, named: Named): Promise<ProjectRow[]> {
    const [ids, names] = wanted(named)
    return this.database.dataSource.manager.query(
      `SELECT id, name, description FROM projects
       WHERE ($1::uuid[] IS NULL OR id = ANY($1))
         AND ($2::uuid[] IS NULL OR id = ANY($2)) AND ($3::text[] IS NULL OR name = ANY($3))
       ORDER BY name LIMIT ${MOST}`,
      [visibleProjects(caller), ids, names],
    )
  }
}

/** Null: any. What is no id is nobody's. */
function wanted({ id, name }: Named): [ids: string[] | null, names: string[] | null] {
  const ids = id === undefined ? null : [id].flat().filter(isUuid)
  return [ids, name === undefined ? null : [name].flat()]
}

const owned = ({ id, name, projectId }: NetworkRow) => ({
  id,
  name,
  project_id: projectId,
  tenant_id: projectId,
  shared: projectId === null,
})

const identified = (row: ProjectRow) => ({
  ...row,
  enabled: true,
  is_domain: false,
  domain_id: 'default',
  parent_id: null,
})
