import { Injectable } from '@nestjs/common'
import { type Caller, visibleProjects } from '../../platform/caller.js'
import { Database } from '../../platform/database.js'
import { NotFound } from '../../platform/errors.js'
import { BadInput, coded } from '../../platform/validation.js'
import { isKeeper, notAllowed } from './keeper.js'
import { type ListQuery, readListQuery } from './list-query.js'
import { columnsOf, isUuid, pageStatement, type Scope } from './list-sql.js'
import type { Resource } from './resource.js'

/** As this face shows it: its attributes by their names. */
export type Shown = Readonly<Record<string, unknown>>

/** Where a list was asked for: its links go there. */
export interface Asked {
  /** With scheme and host, without the query. */
  readonly url: string
  readonly query: Readonly<Record<string, string | readonly string[]>>
}

interface Link {
  readonly rel: 'next' | 'previous'
  readonly href: string
}

/** Nothing is here, in Octavia's words. */
export const missing = (noun: string, id: string): NotFound => new OctaviaNotFound(`${noun} ${id}`)

class OctaviaNotFound extends NotFound {
  constructor(what: string) {
    super(what)
    this.message = `${what} not found.`
  }
}

/** What is there, read straight into the shape of the Octavia API. */
@Injectable()
export class OctaviaReading {
  constructor(private readonly database: Database) {}

  async list(
    caller: Caller,
    resource: Resource,
    asked: Asked,
    parent?: Scope['parent'],
  ): Promise<Record<string, unknown>> {
    const query = readListQuery(resource, asked.query)
    requireProjects(caller, query)
    if (query.marker !== null) await this.requireMarker(caller, resource, query.marker)
    const { sql, values } = pageStatement(resource, query, { projectIds: visibleProjects(caller), parent })
    const rows: Shown[] = await this.database.dataSource.manager.query(sql, [...values])
    const hasMore = rows.length > query.limit
    const page = rows.slice(0, query.limit)
    if (query.reverse) page.reverse()
    return {
      [resource.many]: page.map((row) => picked(row, query.fields)),
      [`${resource.many}_links`]: linksOf(resource, asked, query, page, hasMore),
    }
  }

  /** @throws NotFound also for another project's */
  async show(caller: Caller, resource: Resource, key: string, parent?: Scope['parent']): Promise<Shown> {
    const found = await this.find(caller, resource, key, parent)
    if (!found) throw missing(resource.noun, key)
    return found
  }

  async find(caller: Caller, resource: Resource, key: string, parent?: Scope['parent']): Promise<Shown | null> {
    if (resource.key === 'id' && !isUuid(key)) return null
    if (parent && !isUuid(parent.id)) return null
    const query: ListQuery = {
      ...{ limit: 1, marker: null, reverse: false, sort: [], tags: new Map(), fields: null },
      filters: new Map([[resource.key, [key]]]),
    }
    const { sql, values } = pageStatement(resource, query, { projectIds: visibleProjects(caller), parent })
    const [row] = await this.database.dataSource.manager.query(sql, [...values])
    return row ?? null
  }

  /** Which balancer it belongs to, or is. @throws NotFound also for another project's */
  async require(
    caller: Caller,
    resource: Resource,
    id: string,
    parent?: Scope['parent'],
  ): Promise<{ readonly loadBalancerId: string }> {
    const of = resource.table === 'load_balancers' ? 'id' : 'load_balancer_id'
    const above = parent ? `AND ${resource.attributes[parent.attribute]?.sql} = $3` : ''
    const values = [id, visibleProjects(caller), ...(parent ? [parent.id] : [])]
    const isNone = !isUuid(id) || (parent && !isUuid(parent.id))
    const [row] = isNone
      ? []
      : await this.database.dataSource.manager.query(
          `SELECT t.${of} AS "loadBalancerId" FROM ${resource.table} t
           WHERE t.id = $1 AND ($2::uuid[] IS NULL OR t.project_id = ANY($2)) ${above}`,
          values,
        )
    if (!row) throw missing(resource.noun, id)
    return row
  }

  /** All of a balancer's rows of that kind, by the index of its parts. */
  async partsOf(resource: Resource, loadBalancerId: string): Promise<Shown[]> {
    // what finds its place in the tree
    const extra = Object.entries(resource.attributes).filter(([, { hidden, kind }]) => hidden && kind === 'id')
    const columns = [columnsOf(resource), ...extra.map(([name, { sql }]) => `${sql} AS "_${name}"`)].join(', ')
    const sql = `SELECT ${columns} FROM ${resource.table} t WHERE t.load_balancer_id = $1 ORDER BY t.created_at, t.id`
    return this.database.dataSource.manager.query(sql, [loadBalancerId])
  }

  /** Another project's is none: where it stood in a list would tell of it. */
  private async requireMarker(
    caller: Caller,
    { table, key, noun, ofProject }: Resource,
    marker: string,
  ): Promise<void> {
    const isNone = key !== 'name' && !isUuid(marker)
    const projectIds = ofProject ? visibleProjects(caller) : null
    const visible = projectIds ? 'AND m.project_id = ANY($2::uuid[])' : ''
    const sql = `SELECT FROM ${table} m WHERE m.${key} = $1 ${visible}`
    const values = projectIds ? [marker, projectIds] : [marker]
    const rows: unknown[] = isNone ? [] : await this.database.dataSource.manager.query(sql, values)
    if (rows.length === 0) throw new BadInput([coded('marker', 'marker', `No ${noun} is the marker ${marker}`)])
  }
}

/**
 * Of a project in which a caller may see nothing there is no list; to administrators it is an empty one.
 * @throws Forbidden
 */
function requireProjects(caller: Caller, { filters }: ListQuery): void {
  if (isKeeper(caller)) return
  const asked = [...(filters.get('project_id') ?? []), ...(filters.get('tenant_id') ?? [])].map(String)
  if (asked.length > 0 && (visibleProjects(caller, asked)?.length ?? 0) < new Set(asked).size) throw notAllowed()
}

export const picked = (row: Shown, fields: readonly string[] | null): Shown =>
  fields ? Object.fromEntries(Object.entries(row).filter(([name]) => fields.includes(name))) : row

/** Links keep whatever the list was asked for: Octavia's own lose the filters. */
function linksOf(
  { key }: Resource,
  { url, query }: Asked,
  { marker, reverse, limit }: ListQuery,
  page: readonly Shown[],
  hasMore: boolean,
): Link[] {
  const link = (rel: Link['rel'], row: Shown | undefined): Link[] => {
    if (!row) return []
    const kept = Object.entries(query).filter(
      ([name]) => name !== 'marker' && name !== 'page_reverse' && name !== 'limit',
    )
    const parameters = new URLSearchParams(kept.flatMap(([name, value]) => [value].flat().map((one) => [name, one])))
    parameters.set('limit', String(limit))
    parameters.set('marker', String(row[key]))
    if (rel === 'previous') parameters.set('page_reverse', 'True')
    return [{ rel, href: `${url}?${parameters}` }]
  }
  const hasNext = reverse ? marker !== null : hasMore
  const hasPrevious = reverse ? hasMore : marker !== null
  return [...(hasNext ? link('next', page.at(-1)) : []), ...(hasPrevious ? link('previous', page[0]) : [])]
}
