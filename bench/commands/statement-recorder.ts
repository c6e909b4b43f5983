import pg from 'pg'

/** One statement as the service sent it, and the first row that came back. */
export interface RecordedStatement {
  readonly text: string
  readonly values: readonly unknown[]
  readonly firstRow: Readonly<Record<string, unknown>> | null
}

export interface Recording {
  /** Those of the connection that the transaction ran on, without its begin and commit. */
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

/** What `work`, which makes one transaction while nothing else happens, sends. */
export async function record(work: () => Promise<unknown>): Promise<Recording> {
  const heard: Sent[] = []
  sent = heard
  await work()
  await new Promise((resolve) => setTimeout(resolve, 200))
  sent = null
  const begin = heard.findIndex(({ text }) => BEGIN.test(text))
  const own = heard.filter((statement, i) => i > begin && statement.client === heard[begin]?.client)
  const end = own.findIndex(({ text }) => END.test(text))
  if (begin < 0 || end < 0) throw new Error(`no transaction among: ${heard.map(({ text }) => text).join('; ')}`)
  const transaction = own.slice(0, end)
  const beside = heard.filter(({ text }) => text.includes('pg_notify'))
  return { transaction: transaction.map(plain), beside: beside.map(plain) }
}

async function remember(client: pg.Client, text: string, values: readonly unknown[], answer: Promise<pg.QueryResult>) {
  const statement = { client, text, values: [...values], firstRow: null as Sent['firstRow'] }
  sent?.push(statement)
  const result = await answer.catch(() => null)
  statement.firstRow = result?.rows?.[0] ?? null
}

const plain = ({ text, values, firstRow }: Sent): RecordedStatement => ({ text, values, firstRow })
