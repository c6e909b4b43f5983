import type { BenchProcess } from '../bench-process.js'
import type { BenchDatabase } from '../database.js'
import type { BenchEngine } from '../engine.js'

/** What the benches of load balancers run on. */
export interface Ground {
  readonly engine: BenchEngine
  readonly database: BenchDatabase
  readonly client: BenchProcess
  readonly networkId: string
}

/** With room for all that a bench makes. */
export async function makeNetwork(engine: BenchEngine): Promise<string> {
  const reply = await fetch(`${engine.url}/networks`, {
    method: 'POST',
    headers: { authorization: `Bearer ${engine.token}`, 'content-type': 'application/json' },
    body: JSON.stringify({ name: 'bench', cidr: '10.99.0.0/16', bridge: 'bench0', createBridge: true }),
  })
  if (!reply.ok) throw new Error(`a network: ${reply.status} ${await reply.text()}`)
  return ((await reply.json()) as { id: string }).id
}

/** As they are once a host has taken them on, with the address that each has claimed. @returns their ids */
export async function addBalancers({ database, networkId }: Ground, count: number): Promise<string[]> {
  const rows = await database.rows<{ id: string }>(
    `WITH h AS (SELECT id FROM hosts ORDER BY name LIMIT 1),
     d AS (
       INSERT INTO balancing_devices (kind, name, host_id) SELECT 'host', id, id FROM h
       ON CONFLICT (kind, name) DO UPDATE SET epoch = balancing_devices.epoch RETURNING id, host_id),
     free AS (
       SELECT address FROM network_addresses WHERE network_id = $1 AND holder_id IS NULL ORDER BY address DESC LIMIT $2),
     made AS (
       INSERT INTO load_balancers (id, project_id, name, network_id, vip_address, vip_port_id, provider, device_id, host_id,
         intent_digest, provisioning_status, operating_status, good_generation)
       SELECT gen_random_uuid(), p.id, 'listed-' || host(free.address), $1, host(free.address), gen_random_uuid(), 'simulated', d.id, d.host_id,
         '', 'ACTIVE', 'ONLINE', 1
       FROM free, d, (SELECT id FROM projects ORDER BY created_at LIMIT 1) p
       RETURNING id, vip_address)
     UPDATE network_addresses a SET holder_noun = 'load-balancer', holder_id = made.id
     FROM made WHERE a.network_id = $1 AND a.address = made.vip_address::inet
     RETURNING made.id`,
    [networkId, count],
  )
  if (rows.length !== count) throw new Error(`${rows.length} of ${count} load balancers were made`)
  return rows.map(({ id }) => id)
}
