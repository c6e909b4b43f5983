import pg from 'pg'
import type { RecordedStatement } from './statement-recorder.js'

/** A value of the recording, and what stands for it in each of pgbench's transactions: SQL of type text. */
export interface Stand {
  readonly value: string
  readonly sql: string
}

const PREPARED = 'bench_recorded'

/**
 * The recorded statements as a pgbench script. Parameters become literals of the type that Postgres infers for them, and
 * whatever was made for the one recorded transaction (ids) is made anew in each. A row's id that came back from one
 * statement is handed on to the next, as the service does.
 */
export async function pgbenchScript(
  url: string,
  statements: readonly RecordedStatement[],
  preamble: readonly string[],
  stands: readonly Stand[],
): Promise<string> {
  const client = new pg.Client({ connectionString: url })
  await client.connect()
  try {
    const known = [...stands]
    const lines: string[] = []
    for (const statement of statements) {
      const types = await parameterTypes(client, statement)
      const sql = statement.text
        .replace(/\s+/g, ' ')
        .replace(/\$(\d+)/g, (_, n: string) => expression(statement.values[Number(n) - 1], types[Number(n) - 1], known))
      lines.push(handedOn(statement, known) ? `${sql} \\gset made_` : `${sql};`)
    }
    const [first, ...rest] = lines
    if (rest.length === 0) return `${[...preamble, first].join('\n')}\n`
    return [...preamble, 'BEGIN;', first, ...rest, 'COMMIT;', ''].join('\n')
  } finally {
    await client.end()
  }
}

/** An insert that answers with the id it made: `:made_id` from then on. */
function handedOn({ text, firstRow }: RecordedStatement, known: Stand[]): boolean {
  const id = firstRow?.id
  if (!/^\s*insert/i.test(text) || typeof id !== 'string' || known.some(({ value }) => value === id)) return false
  known.push({ value: id, sql: ':made_id::text' })
  return true
}

async function parameterTypes(client: pg.Client, { text, values }: RecordedStatement): Promise<string[]> {
  if (values.length === 0) return []
  await client.query(`PREPARE ${PREPARED} AS ${text}`)
  const { rows } = await client.query<{ types: string[] }>(
    'SELECT parameter_types::text[] AS types FROM pg_prepared_statements WHERE name = $1',
    [PREPARED],
  )
  await client.query(`DEALLOCATE ${PREPARED}`)
  return rows[0]?.types ?? []
}

function expression(value: unknown, type = 'text', stands: readonly Stand[]): string {
  if (value === null || value === undefined) return `NULL::${type}`
  if (Array.isArray(value)) return `ARRAY[${value.map((v) => textOf(String(v), stands)).join(', ')}]::${type}`
  const text = typeof value === 'string' ? value : value instanceof Date ? value.toISOString() : JSON.stringify(value)
  return `(${textOf(text, stands)})::${type}`
}

function textOf(value: string, stands: readonly Stand[]): string {
  const stand = stands.find((s) => value.includes(s.value))
  if (!stand) return literal(value)
  const parts = value.split(stand.value).map((part) => (part === '' ? null : textOf(part, stands)))
  const joined = parts.flatMap((part, i) => (i === 0 ? [part] : [stand.sql, part])).filter((part) => part !== null)
  return joined.join(' || ')
}

/** pgbench takes `:1` inside a literal for a variable: the colon gets a literal of its own. */
const literal = (text: string): string => `'${text.replaceAll("'", "''").replace(/:(?=\w)/g, ":' || '")}'`
