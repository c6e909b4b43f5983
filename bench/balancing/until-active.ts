import { setTimeout as delay } from 'node:timers/promises'
import type { Figure } from '../figures.js'
import { median, percentile } from '../statistics.js'
import { until } from '../until.js'
import type { Ground } from './ground.js'

const PER_SECOND = 200
const IN_FLIGHT = 64

interface Size {
  readonly creations: number
  readonly sustainForMs: number
}

/** From the request to ACTIVE, as `Prefer: wait` tells it; then as many a second as are promised. */
export async function measureActive(ground: Ground, { creations, sustainForMs }: Size): Promise<Figure[]> {
  const times: number[] = []
  for (let n = 0; n < creations; n++) {
    const startMs = performance.now()
    await create(ground, `waited-${n}`, { prefer: 'wait=10' })
    times.push(performance.now() - startMs)
  }
  const sustained = await sustain(ground, sustainForMs)
  return [
    {
      bench: 'balancing',
      name: 'from the request to ACTIVE on a simulated host, p50',
      value: median(times),
      unit: 'ms',
      bound: { of: 'value', atMost: 50 },
      note: `one at a time; p99 ${percentile(times, 0.99).toFixed(1)} ms`,
    },
    {
      bench: 'balancing',
      name: 'load balancers made and ACTIVE, sustained',
      value: sustained,
      unit: '/s',
      bound: { of: 'value', atLeast: PER_SECOND },
      note: `asked for as fast as ${IN_FLIGHT} at a time are answered; counted when the last is ACTIVE`,
    },
  ]
}

async function sustain(ground: Ground, forMs: number): Promise<number> {
  const startMs = performance.now()
  let made = 0
  const one = async (): Promise<void> => {
    while (performance.now() - startMs < forMs) await create(ground, `sustained-${made++}`, {})
  }
  await Promise.all(Array.from({ length: IN_FLIGHT }, one))
  await until('all are ACTIVE', async () => {
    const pending = `SELECT count(*) FROM load_balancers WHERE name LIKE 'sustained-%' AND provisioning_status <> 'ACTIVE'`
    if ((await ground.database.number(pending)) === 0) return true
    await delay(20)
    return false
  })
  return (made / (performance.now() - startMs)) * 1_000
}

async function create({ engine, networkId }: Ground, name: string, headers: Record<string, string>): Promise<void> {
  const reply = await fetch(`${engine.url}/load-balancers`, {
    method: 'POST',
    headers: { authorization: `Bearer ${engine.token}`, 'content-type': 'application/json', ...headers },
    body: JSON.stringify({ name, vipNetworkId: networkId, provider: 'simulated' }),
  })
  const text = await reply.text()
  if (!reply.ok) throw new Error(`a load balancer: ${reply.status} ${text}`)
  const { provisioningStatus } = JSON.parse(text) as { provisioningStatus: string }
  if (headers.prefer && provisioningStatus !== 'ACTIVE') throw new Error(`it is ${provisioningStatus}: ${text}`)
}
