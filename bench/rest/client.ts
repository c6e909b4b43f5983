import { Agent } from 'node:http'
import { answerQuestions } from '../questions.js'
import { put } from './put.js'

export interface PutsOrder {
  readonly port: number
  readonly token: string
  readonly hostIds: readonly string[]
  readonly connections: number
  readonly forMs: number
  readonly prefix: string
}

export interface Puts {
  /** Of each request, in milliseconds. */
  readonly latencies: number[]
  readonly elapsedMs: number
}

/** Each connection sends its next request when the reply is there: as much as the engine can bear. */
async function puts({ port, token, hostIds, connections, forMs, prefix }: PutsOrder): Promise<Puts> {
  const agent = new Agent({ keepAlive: true, maxSockets: connections })
  const latencies: number[] = []
  const startMs = performance.now()
  let sent = 0
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) {
      const number = sent++
      const hostId = hostIds[number % hostIds.length] ?? ''
      const sentMs = performance.now()
      const status = await put({ agent, port, token, hostId, connectionId: `${prefix}-${number}` })
      latencies.push(performance.now() - sentMs)
      if (status !== 202) throw new Error(`PUT answered ${status}`)
    }
  }
  await Promise.all(Array.from({ length: connections }, one))
  agent.destroy()
  return { latencies, elapsedMs: performance.now() - startMs }
}

answerQuestions({ puts })
