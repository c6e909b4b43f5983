import type { BenchEngine } from '../engine.js'

export interface Shown {
  readonly id: string
  readonly provisioningStatus: string
  readonly statusReason: string | null
  readonly vipAddress: string
}

/** How many a listener may have: any other number is a configuration of its own. */
const CONNECTIONS = 1_000

/** Asks, and waits until what was asked for is in force. @throws when it is not */
export async function call<T>(engine: BenchEngine, method: string, path: string, body: unknown): Promise<T> {
  const reply = await fetch(`${engine.url}${path}`, {
    method,
    headers: { authorization: `Bearer ${engine.token}`, 'content-type': 'application/json', prefer: 'wait=30' },
    body: JSON.stringify(body),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`${method} ${path}: ${reply.status} ${text}`)
  return JSON.parse(text) as T
}

/** One that carries HTTP to a member, with all that it takes. */
export function aBalancer(name: string, networkId: string, memberPort: number) {
  return {
    name,
    vipNetworkId: networkId,
    provider: 'haproxy',
    listeners: [
      {
        name,
        protocol: 'HTTP',
        protocolPort: 8080,
        connectionLimit: CONNECTIONS,
        defaultPool: {
          name,
          protocol: 'HTTP',
          lbAlgorithm: 'ROUND_ROBIN',
          members: [{ address: '127.0.0.1', protocolPort: memberPort }],
        },
      },
    ],
  }
}

export async function create(engine: BenchEngine, networkId: string, name: string, memberPort: number): Promise<Shown> {
  const made = await call<Shown>(engine, 'POST', '/load-balancers', aBalancer(name, networkId, memberPort))
  if (made.provisioningStatus !== 'ACTIVE')
    throw new Error(`${name} is ${made.provisioningStatus}: ${made.statusReason}`)
  return made
}

/** The one listener or pool of that name. */
export async function partOf(engine: BenchEngine, kind: 'listeners' | 'pools', name: string): Promise<string> {
  const { items } = await engine.get<{ items: { id: string }[] }>(`/${kind}?name=${name}`)
  const [only] = items
  if (!only) throw new Error(`there is none of ${kind} called ${name}`)
  return only.id
}

/** Changes what only another configuration can bring. */
export const limitConnections = (engine: BenchEngine, listenerId: string, n: number): Promise<unknown> =>
  call(engine, 'PATCH', `/listeners/${listenerId}`, { connectionLimit: CONNECTIONS + n })
