import { BadInput, coded } from '../../platform/validation.js'
import type { Attribute, Resource } from './resource.js'

/** The most that one page has; what asks for more, or for nothing, gets the rest by its links. */
export const MAX_LIMIT = 1_000
/** A marker makes a condition of each, and of all before it. */
const MAX_SORT_KEYS = 8

export interface SortKey {
  readonly name: string
  readonly descending: boolean
}

/** What a list was asked for. */
export interface ListQuery {
  readonly limit: number
  readonly marker: string | null
  /** The page before the marker instead of the one after it. */
  readonly reverse: boolean
  readonly sort: readonly SortKey[]
  /** Values of one attribute: one of them. */
  readonly filters: ReadonlyMap<string, readonly unknown[]>
  readonly tags: ReadonlyMap<TagFilter, readonly string[]>
  /** Null: all. */
  readonly fields: readonly string[] | null
}

export const tagFilters = ['tags', 'tags-any', 'not-tags', 'not-tags-any'] as const
export type TagFilter = (typeof tagFilters)[number]

export type Given = Readonly<Record<string, string | readonly string[]>>

/** Of every list; the rest are attributes. */
const machinery: ReadonlySet<string> = new Set([
  'limit',
  'marker',
  'page_reverse',
  'sort',
  'sort_key',
  'sort_dir',
  'fields',
  ...tagFilters,
])

/** @throws BadInput for what the resource does not have, and values that cannot be any of its */
export function readListQuery(resource: Resource, given: Given): ListQuery {
  const all = (name: string): readonly string[] => [given[name] ?? []].flat()
  const one = (name: string): string | undefined => all(name)[0]
  return {
    limit: limitOf(one('limit')),
    marker: one('marker') || null,
    reverse: isTrue(one('page_reverse')),
    sort: sortOf(resource, one('sort'), all('sort_key'), all('sort_dir')),
    filters: filtersOf(resource, given, all),
    tags: tagsOf(resource, all),
    fields: fieldsOf(given),
  }
}

/** What is to be shown of each; null: all. Names that there are not are nothing. */
export function fieldsOf({ fields = [] }: Given): readonly string[] | null {
  const names = [fields].flat().flatMap((some) => some.split(','))
  return names.length > 0 ? names : null
}

/** What says no limit gets as much as a page has. */
function limitOf(given: string | undefined): number {
  if (given === undefined || given === 'infinite') return MAX_LIMIT
  if (!/^-?\d{1,9}$/.test(given)) throw refused('limit', `The provided limit '${given}' is not a whole number`)
  const limit = Number(given)
  return limit < 1 ? MAX_LIMIT : Math.min(limit, MAX_LIMIT)
}

/** Left out: false. What is neither is refused: half understood it could remove what was to stay. @throws BadInput */
export function flagOf(name: string, value = 'false'): boolean {
  if (/^(true|1|yes|on|t|y)$/i.test(value)) return true
  if (/^(false|0|no|off|f|n)$/i.test(value)) return false
  throw refused(name, `${value} is neither true nor false`)
}

const isTrue = (value: string | undefined): boolean => value !== undefined && /^(true|1|yes|on)$/i.test(value)

function sortOf(
  resource: Resource,
  sort: string | undefined,
  keys: readonly string[],
  directions: readonly string[],
): SortKey[] {
  const [names, ways] = [keys, directions].map((given) => given.flatMap((some) => some.split(',')))
  const pairs: (readonly string[])[] = sort
    ? sort.split(',').map((pair) => pair.split(':'))
    : (names ?? []).map((name, index) => [name, ways?.[index] ?? 'asc'])
  const distinct = pairs.filter(([name], place) => pairs.findIndex(([other]) => other === name) === place)
  if (distinct.length > MAX_SORT_KEYS) throw refused('sort', `There are at most ${MAX_SORT_KEYS} attributes to sort by`)
  return distinct.map(([name = '', way = 'asc', ...more]) => {
    const attribute = attributeOf(resource, name)
    if (
      more.length > 0 ||
      !attribute ||
      attribute.kind === 'json' ||
      attribute.kind === 'ids' ||
      attribute.kind === 'texts'
    )
      throw refused('sort', `Nothing is sorted by ${name}`)
    const direction = way.toLowerCase()
    if (direction !== 'asc' && direction !== 'desc') throw refused('sort', `${way} is neither asc nor desc`)
    return { name, descending: direction === 'desc' }
  })
}

function filtersOf(resource: Resource, given: Given, all: (name: string) => readonly string[]) {
  const names = Object.keys(given).filter((name) => !machinery.has(name))
  return new Map(
    names.map((name) => {
      const attribute = attributeOf(resource, name)
      if (!attribute) throw refused(name, `${resource.noun} has no attribute ${name} to filter by`)
      return [name, all(name).map((value) => comparable(name, attribute, value))]
    }),
  )
}

/** The value as SQL compares it. */
function comparable(name: string, { kind }: Attribute, value: string): unknown {
  if (kind === 'boolean') return flagOf(name, value)
  if (kind === 'integer' || kind === 'number') {
    const number = Number(value)
    if (value.trim() === '' || !Number.isFinite(number)) throw refused(name, `${value} is no number`)
    return number
  }
  return value
}

function tagsOf(resource: Resource, all: (name: string) => readonly string[]) {
  const given = tagFilters.map((filter) => [filter, all(filter).flatMap((tags) => tags.split(','))] as const)
  const found = given.filter(([, tags]) => tags.length > 0)
  if (found.length > 0 && !resource.attributes.tags) throw refused('tags', `${resource.noun} has no tags`)
  return new Map(found)
}

const attributeOf = ({ attributes }: Resource, name: string): Attribute | undefined =>
  Object.hasOwn(attributes, name) ? attributes[name] : undefined

const refused = (field: string, message: string): BadInput => new BadInput([coded(field, 'filter', message)])
