import type { SortColumn } from './page-sort.js'
import { BadInput, coded } from './validation.js'

/** Opaque to callers: the sort that it belongs to and the last row's values, as text. */
interface Cursor {
  readonly s: string
  readonly v: readonly (string | null)[]
}

export function writeCursor(columns: readonly SortColumn[], values: readonly (string | null)[]): string {
  const cursor: Cursor = { s: spelled(columns), v: values }
  return Buffer.from(JSON.stringify(cursor)).toString('base64url')
}

/** The values of a cursor that belongs to this sort; any other is 422. */
export function readCursor(text: string, columns: readonly SortColumn[]): readonly (string | null)[] {
  const cursor = parsed(text)
  if (!cursor) throw refused('cursor is none of ours')
  if (cursor.s !== spelled(columns)) throw refused(`cursor belongs to sort=${cursor.s.slice(0, 200)}`)
  const fits =
    cursor.v.length === columns.length && cursor.v.every((value, index) => value !== null || columns[index]?.nullable)
  if (!fits) throw refused('cursor is none of ours')
  return cursor.v
}

const spelled = (columns: readonly SortColumn[]): string =>
  columns.map(({ property, falling }) => `${falling ? '-' : ''}${property}`).join(',')

function parsed(text: string): Cursor | null {
  if (!/^[\w-]+$/.test(text)) return null
  try {
    const value: unknown = JSON.parse(Buffer.from(text, 'base64url').toString())
    return isCursor(value) ? value : null
  } catch {
    return null
  }
}

function isCursor(value: unknown): value is Cursor {
  if (typeof value !== 'object' || value === null) return false
  const { s, v } = value as Partial<Record<'s' | 'v', unknown>>
  if (typeof s !== 'string' || !Array.isArray(v)) return false
  return v.every((item) => item === null || (typeof item === 'string' && !item.includes('\0')))
}

const refused = (message: string): BadInput => new BadInput([coded('cursor', 'cursor', message)])
