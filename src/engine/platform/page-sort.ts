import type { ObjectLiteral, SelectQueryBuilder } from 'typeorm'
import type { Listing } from './listing.js'
import { BadInput, coded } from './validation.js'

export interface SortColumn {
  readonly property: string
  /** In the database. */
  readonly name: string
  readonly type: string
  readonly nullable: boolean
  readonly falling: boolean
}

/** `name,-createdAt` as columns of the listing, with its id last so that no two rows are equal. */
export function sortColumns<E extends ObjectLiteral>(
  rows: SelectQueryBuilder<E>,
  listing: Pick<Listing<E>, 'entity' | 'sortable' | 'id'>,
  sort: string,
): SortColumn[] {
  const id = listing.id ?? 'id'
  const metadata = rows.connection.getMetadata(listing.entity)
  const chosen = sort.split(',').map((term) => ({ property: term.replace(/^-/, ''), falling: term.startsWith('-') }))
  const known: readonly string[] = [...listing.sortable, id]
  const faults = chosen
    .filter(
      ({ property }, index) => !known.includes(property) || chosen.findIndex((c) => c.property === property) < index,
    )
    .map(({ property }) => coded('sort', 'sort', `sort takes each of ${known.join(', ')} once, not ${property}`))
  if (faults.length > 0) throw new BadInput(faults)
  const total = chosen.some(({ property }) => property === id) ? chosen : [...chosen, { property: id, falling: false }]
  return total.map(({ property, falling }) => {
    const column = metadata.findColumnWithPropertyName(property)
    if (!column) throw new Error(`${metadata.name} has no column ${property}`)
    const type = rows.connection.driver.normalizeType(column)
    return { property, falling, name: column.databaseName, type, nullable: column.isNullable }
  })
}

/** Only rows that come after these values. Postgres puts NULL last when rising and first when falling. */
export function keysetAfter<E extends ObjectLiteral>(
  rows: SelectQueryBuilder<E>,
  columns: readonly SortColumn[],
  values: readonly (string | null)[],
): void {
  const bound = (index: number): string => `CAST(:cursor_${index} AS ${columns[index]?.type})`
  const parameters = Object.fromEntries(values.map((value, index) => [`cursor_${index}`, value]))
  const oneWay = columns.every((column) => !column.nullable && column.falling === columns[0]?.falling)
  if (oneWay) {
    // one row comparison, which an index over the same columns answers
    const left = columns.map(({ name }) => `"row"."${name}"`).join(', ')
    const right = columns.map((_, index) => bound(index)).join(', ')
    rows.andWhere(`(${left}) ${columns[0]?.falling ? '<' : '>'} (${right})`, parameters)
    return
  }
  const steps = columns.map((_, last) =>
    columns
      .slice(0, last + 1)
      .map((column, index) =>
        index < last ? equal(column, values[index], bound(index)) : after(column, values[index], bound(index)),
      )
      .join(' AND '),
  )
  rows.andWhere(`(${steps.map((step) => `(${step})`).join(' OR ')})`, parameters)
}

const equal = (column: SortColumn, value: string | null | undefined, bound: string): string =>
  value === null ? `"row"."${column.name}" IS NULL` : `"row"."${column.name}" = ${bound}`

function after(column: SortColumn, value: string | null | undefined, bound: string): string {
  const name = `"row"."${column.name}"`
  if (value === null) return column.falling ? `${name} IS NOT NULL` : 'FALSE'
  if (column.falling) return `${name} < ${bound}`
  return column.nullable ? `(${name} > ${bound} OR ${name} IS NULL)` : `${name} > ${bound}`
}
