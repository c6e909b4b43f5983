import { createHash } from 'node:crypto'
import { DefaultNamingStrategy, type NamingStrategyInterface, type Table, type View } from 'typeorm'

/** Postgres cuts longer identifiers off without a word. */
const MAX_IDENTIFIER_CHARS = 63

/**
 * camelCase in code, snake_case in the database. Constraints are named after what they hold, as the migrations spell
 * them: `uq_hosts_name`, `ix_events_at`; unnamed keys get the names that Postgres itself gives.
 */
export class SnakeCaseNaming extends DefaultNamingStrategy implements NamingStrategyInterface {
  override tableName(className: string, given: string | undefined): string {
    return given ?? snakeCase(className)
  }

  override columnName(property: string, given: string | undefined, prefixes: string[]): string {
    return [...prefixes.map(snakeCase), given ?? snakeCase(property)].join('_')
  }

  override joinColumnName(relation: string, column: string): string {
    return snakeCase(`${relation}_${column}`)
  }

  override primaryKeyName(table: Table | string, columns: string[]): string {
    return columns.length > 1 ? identifier('pk', nameOf(table)) : identifier(nameOf(table), 'pkey')
  }

  override uniqueConstraintName(table: Table | string, columns: string[]): string {
    return identifier('uq', nameOf(table), ...columns)
  }

  override foreignKeyName(table: Table | string, columns: string[]): string {
    return identifier('fk', nameOf(table), ...columns)
  }

  override indexName(table: Table | View | string, columns: string[]): string {
    return identifier('ix', nameOf(table), ...columns)
  }
}

export function snakeCase(name: string): string {
  return name.replace(/([a-z0-9])([A-Z])/g, '$1_$2').toLowerCase()
}

function identifier(...parts: readonly string[]): string {
  const name = parts.join('_')
  if (name.length <= MAX_IDENTIFIER_CHARS) return name
  const hash = createHash('sha256').update(name).digest('hex').slice(0, 8)
  return `${name.slice(0, MAX_IDENTIFIER_CHARS - 9)}_${hash}`
}

function nameOf(table: Table | View | string): string {
  const name = typeof table === 'string' ? table : table.name
  return name.slice(name.lastIndexOf('.') + 1)
}
