import { Agent, request } from 'node:http'
import { answerQuestions } from '../questions.js'

export interface RequestsOrder {
  readonly port: number
  readonly token: string
  readonly connections: number
  readonly forMs: number
  /** What is asked, one after the other; the name of each round stands for `$n` in a body. */
  readonly method: 'GET' | 'POST'
  readonly paths: readonly string[]
  /** `$n` in it becomes a name that no other request has. */
  readonly body?: string
  readonly prefix: string
}

export interface Requested {
  /** Of each request, in milliseconds. */
  readonly latencies: number[]
  readonly elapsedMs: number
}

/** Each connection sends its next request when the reply is there: as much as the engine can bear. */
async function requests({ connections, forMs, paths, body, prefix, ...to }: RequestsOrder): Promise<Requested> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  const startMs = performance.now()
  let sent = 0
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const number = sent++
      const sentMs = performance.now()
      const path = paths[number % paths.length] ?? '/'
      await ask(agent, { ...to, path, body: body?.replaceAll('$n', `${prefix}-${number}`) })
      latencies.push(performance.now() - sentMs)
    }
  }
  await Promise.all(Array.from({ length: connections }, one))
  agent.destroy()
  return { latencies, elapsedMs: performance.now() - startMs }
}

interface Asked {
  readonly port: number
  readonly token: string
  readonly method: string
  readonly path: string
  readonly body?: string | undefined
}

function ask(agent: Agent, { port, token, method, path, body }: Asked): Promise<void> {
  const headers = {
    authorization: `Bearer ${token}`,
    ...(body === undefined
      ? {}
      : { 'content-type': 'application/json', 'content-length': String(Buffer.byteLength(body)) }),
  }
  return new Promise((resolve, reject) => {
    const asked = request({ agent, host: '127.0.0.1', port, method, path: `/api/v1${path}`, headers }, (reply) => {
      const words: Buffer[] = []
      const isGood = (reply.statusCode ?? 500) < 300
      reply.on('data', (part: Buffer) => {
        if (!isGood) words.push(part)
      })
      reply.on('end', () =>
        isGood
          ? resolve()
          : reject(new Error(`${method} ${path} answered ${reply.statusCode}: ${Buffer.concat(words)}`)),
      )
    })
    asked.on('error', reject)
    asked.end(body)
  })
}

answerQuestions({ requests })
