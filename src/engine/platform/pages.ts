import { applyDecorators, type Type } from '@nestjs/common'
import { ApiProperty, ApiPropertyOptional } from '@nestjs/swagger'
import { Transform, Type as TypeOf } from 'class-transformer'
import { ArrayMaxSize, IsIn, IsInt, IsOptional, IsString, IsUUID, Matches, Max, MaxLength, Min } from 'class-validator'
import type { EntityManager, ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import { type Caller, visibleProjects } from './caller.js'
import { sqlState } from './database.js'
import type { Listing } from './listing.js'
import { readCursor, writeCursor } from './page-cursor.js'
import { keysetAfter, type SortColumn, sortColumns } from './page-sort.js'
import { BadInput, coded } from './validation.js'

/** What every list takes. A list's own query class extends it with its filters. */
export class PageQuery {
  @ApiPropertyOptional({ description: 'How many at most.', type: 'integer', minimum: 1, maximum: 500, default: 50 })
  @TypeOf(() => Number)
  @IsInt()
  @Min(1)
  @Max(500)
  limit: number = 50

  @ApiPropertyOptional({ description: 'Where the page before ended: its `next`. Sort and filters stay as they were.' })
  @IsOptional()
  @IsString()
  @MaxLength(2048)
  cursor?: string

  @ApiPropertyOptional({
    description: 'Fields to sort by, a falling one with a minus: `name,-createdAt`.',
    pattern: '^-?[A-Za-z]+(,-?[A-Za-z]+)*$',
  })
  @IsOptional()
  @IsString()
  @MaxLength(200)
  @Matches(/^-?[A-Za-z]+(,-?[A-Za-z]+)*$/, { message: 'sort must be field names with commas between: name,-createdAt' })
  sort?: string
}

export interface Page<T> {
  readonly items: readonly T[]
  /** The cursor of the page after this one, null on the last. */
  readonly next: string | null
}

/** More conditions than equality; the entity's alias is `row`. */
export type Narrow<E extends ObjectLiteral> = (rows: SelectQueryBuilder<E>) => void

/**
 * One page by keyset: what is inserted or removed meanwhile neither repeats nor hides another row, and the thousandth
 * page costs what the first does. The rows are as the driver reads them, under the names of the entity (docs/adr/0054).
 */
export async function page<E extends ObjectLiteral, X = unknown, U extends string = never>(
  tx: EntityManager,
  listing: Listing<E, X, U>,
  query: PageQuery,
  narrow: Narrow<E> = () => {},
): Promise<Page<Omit<E, U> & X>> {
  const rows = tx.createQueryBuilder(listing.entity, 'row').select(selectionOf(tx, listing))
  const columns = sortColumns(rows, listing, query.sort ?? listing.defaultSort)
  filter(rows, listing, query)
  narrow(rows)
  if (query.cursor !== undefined) keysetAfter(rows, columns, readCursor(query.cursor, columns))
  columns.forEach((column, index) => {
    rows.addOrderBy(`row.${column.property}`, column.falling ? 'DESC' : 'ASC')
    if (isInexact(column)) rows.addSelect(`"row"."${column.name}"::text`, cursorAlias(index))
  })
  const found = await run(rows.limit(query.limit + 1), query)
  const last = found.length > query.limit ? found[query.limit - 1] : undefined
  const next = last ? writeCursor(columns, valuesOf(last, columns)) : null
  const items = found.slice(0, query.limit).map(withoutCursors)
  // of the columns of the entity, under its names, and of `also`
  return { items: items as (Omit<E, U> & X)[], next }
}

/** Copied: to delete them would make a dictionary of each row, which costs more than all that the driver does. */
function withoutCursors(row: RawRow): RawRow {
  const item: RawRow = {}
  for (const name in row) if (!name.startsWith(CURSOR)) item[name] = row[name]
  return item
}

/** Only what belongs to projects that the caller may see. The entity has a `projectId`. */
export function inProjectsOf<E extends { readonly projectId: string | null }>(caller: Caller): Narrow<E> {
  const projectIds = visibleProjects(caller)
  return (rows) => {
    // IN () would be no SQL
    if (projectIds?.length === 0) rows.andWhere('FALSE')
    else if (projectIds) rows.andWhere('row.projectId IN (:...visible)', { visible: projectIds })
  }
}

/** The page as its callers see it. */
export const viewPage = <E, V>(found: Page<E>, view: (row: E) => V): Page<V> => ({
  items: found.items.map((row) => view(row)),
  next: found.next,
})

const pageClasses = new WeakMap<Type, Type<Page<unknown>>>()

/** The class of a page of views, for `reply: [200, PageOf(HostView)]`. */
export function PageOf<V>(view: Type<V>): Type<Page<V>> {
  const known = pageClasses.get(view)
  if (known) return known as Type<Page<V>>
  class PageOfViews {
    @ApiProperty({ type: [view] })
    readonly items!: V[]

    @ApiProperty({
      type: String,
      nullable: true,
      description: 'Cursor of the next page; null on the last.',
      example: null,
    })
    readonly next!: string | null
  }
  Object.defineProperty(PageOfViews, 'name', { value: `${view.name.replace(/View$/, '')}Page` })
  pageClasses.set(view, PageOfViews)
  return PageOfViews
}

export interface FilterOptions {
  readonly description?: string
  readonly enum?: readonly string[]
  readonly format?: 'uuid'
}

/** A filter: one value, or several where the query repeats it (any of them then). Its property is `string[]`. */
export function Filter(options: FilterOptions = {}): PropertyDecorator {
  const { description, enum: values, format } = options
  return applyDecorators(
    ApiPropertyOptional({
      description,
      isArray: true,
      type: String,
      ...(values ? { enum: [...values] } : {}),
      ...(format ? { format } : {}),
    }),
    Transform(({ value }) => (value === undefined || Array.isArray(value) ? value : [value])),
    IsOptional(),
    ArrayMaxSize(100),
    values ? IsIn(values, { each: true }) : IsString({ each: true }),
    ...(format === 'uuid' ? [IsUUID('all', { each: true })] : [MaxLength(255, { each: true })]),
  )
}

function filter<E extends ObjectLiteral>(
  rows: SelectQueryBuilder<E>,
  listing: Pick<Listing<E>, 'filterable'>,
  query: PageQuery,
): void {
  for (const property of listing.filterable ?? []) {
    const values = (query as unknown as Record<string, readonly string[] | undefined>)[property]
    if (values !== undefined)
      rows.andWhere(`row.${property} IN (:...filter_${property})`, { [`filter_${property}`]: values })
  }
}

const selections = new WeakMap<object, string>()

/** Columns under the names of the entity: none of ours has a value that the driver does not read as it is. */
function selectionOf<E extends ObjectLiteral, X, U extends string>(
  tx: EntityManager,
  listing: Listing<E, X, U>,
): string {
  const known = selections.get(listing)
  if (known !== undefined) return known
  const { columns } = tx.connection.getMetadata(listing.entity)
  const unread: readonly string[] = listing.unread ?? []
  const own = columns
    .filter(({ propertyName }) => !unread.includes(propertyName))
    .map(({ databaseName, propertyName }) => `"row"."${databaseName}" AS "${propertyName}"`)
  const also = Object.entries<string>(listing.also ?? {}).map(([name, sql]) => `${sql} AS "${name}"`)
  const selection = [...own, ...also].join(', ')
  selections.set(listing, selection)
  return selection
}

type RawRow = Record<string, unknown>

async function run<E extends ObjectLiteral>(rows: SelectQueryBuilder<E>, query: PageQuery): Promise<RawRow[]> {
  try {
    return await rows.getRawMany<RawRow>()
  } catch (error) {
    // class 22: a value of the cursor is none of its column's
    if (query.cursor !== undefined && sqlState(error)?.startsWith('22'))
      throw new BadInput([coded('cursor', 'cursor', 'cursor is none of ours')])
    throw error
  }
}

const CURSOR = 'cursor_'
const cursorAlias = (index: number): string => `${CURSOR}${index}`

/** As text: a JavaScript date would lose the microseconds, and the row after. */
const isInexact = ({ type }: SortColumn): boolean => /^(timestamp|float|double|real|numeric)/.test(type)

const valuesOf = (row: RawRow, columns: readonly SortColumn[]): (string | null)[] =>
  columns.map((column, index) => {
    // sorted by texts, numbers and booleans alone, or read as text
    const value = row[isInexact(column) ? cursorAlias(index) : column.property] as string | number | boolean | null
    return value === null ? null : String(value)
  })
