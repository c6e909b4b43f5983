import { createServer, type IncomingMessage } from 'node:http'
import type { AddressInfo } from 'node:net'
import pg from 'pg'
import { answerQuestions } from '../questions.js'

export interface BareServerOrder {
  readonly url: string
  /** Of the pool: as many requests as come at once. */
  readonly connections: number
}

/** The least that a lasting answer to a PUT costs: HTTP, JSON, and a row that is committed. It knows no callers and no hosts. */
async function open({ url, connections }: BareServerOrder): Promise<number> {
  const pool = new pg.Pool({ connectionString: url, max: connections })
  pool.on('error', () => {})
  // what is done about its table afterwards would be in the way of the engine's turn
  await pool.query(
    'CREATE TABLE bare_puts (path text PRIMARY KEY, body jsonb NOT NULL) WITH (autovacuum_enabled = false)',
  )
  const server = createServer((request, reply) => {
    const keep = async () => {
      const body = await textOf(request)
      const values = [request.url, body]
      await pool.query({ name: 'put', text: 'INSERT INTO bare_puts (path, body) VALUES ($1, $2)', values })
      reply.writeHead(202, { 'content-type': 'application/json' }).end(body)
    }
    keep().catch((error: unknown) => reply.writeHead(500).end(String(error)))
  })
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve))
  return (server.address() as AddressInfo).port
}

async function textOf(request: IncomingMessage): Promise<string> {
  let text = ''
  for await (const chunk of request.setEncoding('utf8')) text += chunk
  return text
}

answerQuestions({ open })
