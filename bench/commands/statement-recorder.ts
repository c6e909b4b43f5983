import pg from 'pg'

/** One statement as the service sent it, and the first row that came back. */
export interface RecordedStatement {
  readonly text: string
  readonly values: readonly unknown[]
  readonly firstRow: Readonly<Record<string, unknown>> | null
}

export interface Recording {
  /** Those of the connection that the transaction ran on, without its begin and commit; one alone may have had neither. */
  readonly transaction: readonly RecordedStatement[]
  /** What was sent beside it: notifications. */
  readonly beside: readonly RecordedStatement[]
}

interface Sent extends RecordedStatement {
  readonly client: pg.Client
}

const BEGIN = /^(start transaction|begin)/i
const END = /^commit/i

let sent: Sent[] | null = null
/** Statements outside transactions so far that notify. */
export let notifyCount = 0

/** The driver's own `query`, as its callers here use it: with promises. */
type Query = (this: pg.Client, query: string | pg.QueryConfig, values?: unknown[]) => Promise<pg.QueryResult>

/** Puts an ear to every connection of this process. */
export function listenToStatements(): void {
  const prototype = pg.Client.prototype as unknown as { query: Query }
  const original = prototype.query
  prototype.query = function (query, values) {
    const answer = original.call(this, query, values)
    const text = typeof query === 'string' ? query : query.text
    if (text.includes('pg_notify')) notifyCount++
    if (sent) void remember(this, text, values ?? (typeof query === 'string' ? [] : query.values) ?? [], answer)
    return answer
  }
}

/** What `work` sends in the transaction that has `mark` among its values. */
export async function record(mark: string, work: () => Promise<unknown>): Promise<Recording> {
  const heard: Sent[] = []
  sent = heard
  await work()
  await new Promise((resolve) => setTimeout(resolve, 200))
  sent = null
  const beside = heard.filter(({ text }) => text.includes('pg_notify'))
  return { transaction: transactionOf(heard, mark).map(plain), beside: beside.map(plain) }
}

/** What goes on in the background has transactions of its own: the one that is meant says `mark`. */
function transactionOf(heard: readonly Sent[], mark: string): readonly Sent[] {
  const marked = heard.findIndex(({ values }) => values.some((value) => String(value).includes(mark)))
  const found = heard[marked]
  if (!found) throw new Error(`${mark} is in none of: ${heard.map(({ text }) => text).join('; ')}`)
  const own = heard.filter(({ client }) => client === found.client)
  const at = own.indexOf(found)
  const begin = own.findLastIndex(({ text }, i) => i < at && BEGIN.test(text))
  const end = own.findIndex(({ text }, i) => i > at && END.test(text))
  return begin >= 0 && end >= 0 ? own.slice(begin + 1, end) : [found]
}

async function remember(client: pg.Client, text: string, values: readonly unknown[], answer: Promise<pg.QueryResult>) {
  const statement = { client, text, values: [...values], firstRow: null as Sent['firstRow'] }
  sent?.push(statement)
  const result = await answer.catch(() => null)
  statement.firstRow = result?.rows?.[0] ?? null
}

const plain = ({ text, values, firstRow }: Sent): RecordedStatement => ({ text, values, firstRow })
