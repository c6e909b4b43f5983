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
 * page costs what the first does.
 */
export async function page<E extends ObjectLiteral>(
  tx: EntityManager,
  listing: Listing<E>,
  query: PageQuery,
  narrow: Narrow<E> = () => {},
): Promise<Page<E>> {
  const rows = tx.createQueryBuilder(listing.entity, 'row')
  const columns = sortColumns(rows, listing, query.sort ?? listing.defaultSort)
  filter(rows, listing, query)
  narrow(rows)
  if (query.cursor !== undefined) keysetAfter(rows, columns, readCursor(query.cursor, columns))
  columns.forEach((column, index) => {
    rows.addOrderBy(`row.${column.property}`, column.falling ? 'DESC' : 'ASC')
    // as text: a JavaScript date would lose the microseconds, and the row after
    rows.addSelect(`"row"."${column.name}"::text`, cursorAlias(index))
  })
  const { entities, raw } = await run(rows.limit(query.limit + 1), query)
  const items = entities.slice(0, query.limit)
  const last = raw[query.limit - 1]
  return { items, next: last && entities.length > query.limit ? writeCursor(columns, valuesOf(last, columns)) : null }
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

function filter<E extends ObjectLiteral>(rows: SelectQueryBuilder<E>, listing: Listing<E>, query: PageQuery): void {
  for (const property of listing.filterable ?? []) {
    const values = (query as unknown as Record<string, readonly string[] | undefined>)[property]
    if (values !== undefined)
      rows.andWhere(`row.${property} IN (:...filter_${property})`, { [`filter_${property}`]: values })
  }
}

type RawRow = Readonly<Record<string, string | null>>

async function run<E extends ObjectLiteral>(rows: SelectQueryBuilder<E>, query: PageQuery) {
  try {
    return await rows.getRawAndEntities<RawRow>()
  } catch (error) {
    // class 22: a value of the cursor is none of its column's
    if (query.cursor !== undefined && sqlState(error)?.startsWith('22'))
      throw new BadInput([coded('cursor', 'cursor', 'cursor is none of ours')])
    throw error
  }
}

const cursorAlias = (index: number): string => `cursor_${index}`

const valuesOf = (row: RawRow, columns: readonly SortColumn[]): (string | null)[] =>
  columns.map((_, index) => row[cursorAlias(index)] ?? null)
