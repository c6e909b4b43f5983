import type { ListQuery, SortKey } from './list-query.js'
import type { Attribute, Resource } from './resource.js'

export interface Statement {
  readonly sql: string
  readonly values: readonly unknown[]
}

/** Narrows a list beyond what was asked for. */
export interface Scope {
  /** Null: every project. */
  readonly projectIds: readonly string[] | null
  /** Of a path: `pool_id` of its members. */
  readonly parent?: { readonly attribute: string; readonly id: string }
}

/** The columns of the resource, by their names on this face. */
export const columnsOf = ({ attributes }: Resource): string =>
  Object.entries(attributes)
    .filter(([, { hidden }]) => !hidden)
    .map(([name, { sql }]) => `${sql} AS "${name}"`)
    .join(', ')

/**
 * One page and one row more, by keyset: the rows after the marker's in the order asked for, or before it. Without a sort the
 * index by creation gives them in order, and nothing is counted or skipped.
 */
export function pageStatement(resource: Resource, query: ListQuery, scope: Scope): Statement {
  const values: unknown[] = []
  const bind = (value: unknown, type = ''): string => `$${values.push(value)}${type}`
  const order = orderOf(resource, query)
  const conditions = [
    ...(resource.ofProject && scope.projectIds ? [`t.project_id = ANY(${bind(scope.projectIds, '::uuid[]')})`] : []),
    ...(scope.parent
      ? [`${attribute(resource, scope.parent.attribute).sql} = ${bind(scope.parent.id, '::uuid')}`]
      : []),
    ...[...query.filters].map(([name, given]) => filter(attribute(resource, name), given, bind)),
    ...[...query.tags].map(([how, tags]) => tagConditions[how](bind(tags, '::text[]'))),
    ...(query.marker === null
      ? []
      : [afterMarker(resource, order, bind(query.marker, resource.key === 'name' ? '' : '::uuid'))]),
  ]
  const by = order.map(({ sql, descending }) => `${sql} ${descending ? 'DESC' : 'ASC'}`).join(', ')
  const where = conditions.length > 0 ? `WHERE ${conditions.join(' AND ')}` : ''
  const sql = `SELECT ${columnsOf(resource)} FROM ${resource.table} t ${where} ORDER BY ${by} LIMIT ${bind(query.limit + 1)}`
  return { sql, values }
}

interface OrderTerm {
  readonly sql: string
  readonly descending: boolean
}

/** Nulls have a place of their own, before all others, so that each row can be a marker. */
function orderOf(resource: Resource, { sort, reverse }: ListQuery): OrderTerm[] {
  const term = ({ name, descending }: SortKey): OrderTerm => ({
    sql: sortable(name, attribute(resource, name)),
    descending: descending !== reverse,
  })
  const last = sort.at(-1)?.descending ?? false
  const natural = ['t.created_at', 't.id'].map((sql) => ({ sql, descending: last !== reverse }))
  return [...sort.map(term), ...natural]
}

function sortable(name: string, { kind, sql }: Attribute): string {
  // as a time, which an index can give
  if (name === 'created_at') return 't.created_at'
  if (kind === 'integer' || kind === 'number') return `coalesce(${sql}, -2)`
  return kind === 'boolean' ? sql : `coalesce((${sql})::text, '')`
}

const tagConditions = {
  tags: (tags: string) => `t.tags @> ${tags}`,
  'tags-any': (tags: string) => `t.tags && ${tags}`,
  'not-tags': (tags: string) => `NOT t.tags @> ${tags}`,
  'not-tags-any': (tags: string) => `NOT t.tags && ${tags}`,
}

function filter({ kind, sql }: Attribute, given: readonly unknown[], bind: (value: unknown, type?: string) => string) {
  if (kind === 'ids')
    return `EXISTS (SELECT FROM json_array_elements(${sql}) e WHERE e ->> 'id' = ANY(${bind(given, '::text[]')}))`
  if (kind === 'texts') return `${sql} && ${bind(given, '::text[]')}`
  if (kind === 'integer' || kind === 'number') return `${sql} = ANY(${bind(given, '::float8[]')})`
  if (kind === 'boolean') return `${sql} = ANY(${bind(given, '::boolean[]')})`
  // ids in upper case are the same ids, and what is no id at all is nobody's
  if (kind === 'id') return `${sql} = ANY(${bind(given.filter(isUuid), '::uuid[]')})`
  return `(${sql})::text = ANY(${bind(given, '::text[]')})`
}

export const isUuid = (value: unknown): boolean => /^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$/i.test(String(value))

/** One row of the marker, held against each: a comparison of rows where all go one way. */
function afterMarker({ table, key }: Resource, order: readonly OrderTerm[], marker: string): string {
  const uniform = order.every(({ descending }) => descending === order[0]?.descending)
  const of = (sql: string) => `(SELECT ${sql.replaceAll(/\bt\./g, 'm.')} FROM ${table} m WHERE m.${key} = ${marker})`
  if (uniform) {
    const row = order.map(({ sql }) => sql).join(', ')
    return `(${row}) ${order[0]?.descending ? '<' : '>'} ${of(row)}`
  }
  const ways = order.map(({ sql, descending }, at) => {
    const equal = order.slice(0, at).map((before) => `${before.sql} = ${of(before.sql)}`)
    return `(${[...equal, `${sql} ${descending ? '<' : '>'} ${of(sql)}`].join(' AND ')})`
  })
  return `(${ways.join(' OR ')})`
}

const attribute = ({ attributes }: Resource, name: string): Attribute => {
  const found = attributes[name]
  if (!found) throw new Error(`there is no attribute ${name}`)
  return found
}
