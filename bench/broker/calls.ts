import { Agent, request } from 'node:http'

const put = (hostId: number, block: string): string =>
  `<methodCall><methodName>put_stats</methodName><params><param><value><int>${hostId}</int></value></param><param><value><base64>${block}</base64></value></param></params></methodCall>`
const GET = '<methodCall><methodName>get_stats</methodName><params></params></methodCall>'

/** A whole block, other in each call, in base64. */
const blockOf = (hostId: number, n: number): string =>
  Buffer.alloc(4096, `host ${hostId} says ${n} `).toString('base64')

/** @throws where the answer is a fault, or none */
async function call(port: number, agent: Agent, body: string): Promise<void> {
  const text = await new Promise<string>((resolve, reject) => {
    const headers = { 'content-type': 'text/xml', 'content-length': Buffer.byteLength(body) }
    const sent = request({ host: '127.0.0.1', port, path: '/RPC2', method: 'POST', headers, agent }, (reply) => {
      const chunks: Buffer[] = []
      reply.on('data', (chunk: Buffer) => chunks.push(chunk))
      reply.on('error', reject)
      reply.on('end', () => resolve(Buffer.concat(chunks).toString('latin1')))
    })
    sent.on('error', reject)
    sent.end(body)
  })
  if (text.includes('<fault>') || !text.includes('<methodResponse>')) throw new Error(`answered ${text.slice(0, 300)}`)
}

export interface Load {
  readonly port: number
  /** Each asks again as soon as it is answered. */
  readonly clients: number
  readonly forMs: number
}

export const putStats = (load: Load): Promise<number> =>
  perSecond(load, (client, n) => put((client % 250) + 1, blockOf(client, n)))

export const getStats = (load: Load): Promise<number> => perSecond(load, () => GET)

/** So that there is something to get. */
export async function fill(port: number, hosts: number): Promise<void> {
  const agent = new Agent({ keepAlive: true, maxSockets: 1 })
  for (let hostId = 1; hostId <= hosts; hostId++) await call(port, agent, put(hostId, blockOf(hostId, 0)))
  agent.destroy()
}

async function perSecond({ port, clients, forMs }: Load, body: (client: number, n: number) => string): Promise<number> {
  const agent = new Agent({ keepAlive: true, maxSockets: clients })
  const startedMs = performance.now()
  let answered = 0
  const one = async (client: number) => {
    while (performance.now() - startedMs < forMs) {
      await call(port, agent, body(client, answered))
      answered++
    }
  }
  await Promise.all(Array.from({ length: clients }, (_, client) => one(client)))
  agent.destroy()
  return (answered / (performance.now() - startedMs)) * 1_000
}
