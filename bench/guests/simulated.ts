import type { BenchDatabase } from '../database.js'
import type { BenchEngine } from '../engine.js'
import type { BenchSetting, Figure } from '../figures.js'
import { call } from '../haproxy/calls.js'
import { Simulator } from '../simulator.js'
import { until } from '../until.js'
import { askForGuest } from './calls.js'

const full = { guests: 1_000, hosts: 50 }
const smoke = { guests: 20, hosts: 4 }
const AT_ONCE = 8

/** From the first request until the last guest is ACTIVE: each places, makes a volume, starts, is pinged and prepared. */
export async function measureSimulated(
  setting: BenchSetting,
  engine: BenchEngine,
  database: BenchDatabase,
): Promise<Figure[]> {
  const { guests, hosts } = setting.smoke ? smoke : full
  const simulator = await Simulator.start(engine, database, hosts)
  setting.afterwards(() => simulator.stop())
  await simulator.connected()
  const storage = { name: 'disks', uri: 'local:///srv/disks', selector: { labels: {} } }
  const { id } = await call<{ id: string }>(engine, 'POST', '/storages', storage)
  const connectionId = `storage:${id}`
  await until('the storage is up', async () => {
    const shown = await engine.get<{ hosts: { operating: Record<string, number> } }>(`/storages/${id}`)
    return shown.hosts.operating.UP === hosts
  })
  const files = [{ role: 'disk', path: 'image.qcow2' }]
  const image = { name: 'simulated', format: 'qcow2', connectionId, files, hasAgent: true }
  const { id: imageId } = await call<{ id: string }>(engine, 'POST', '/images', image)
  const disks = [{ connectionId, sizeMiB: 1024 }]
  let next = 0
  const startedMs = performance.now()
  const asking = async () => {
    while (next < guests) {
      const name = `simulated-${next++}`
      await askForGuest(engine, { name, imageId, disks, prepare: { packages: ['nginx'] } })
    }
  }
  await Promise.all(Array.from({ length: AT_ONCE }, asking))
  const askedMs = performance.now() - startedMs
  const count = (status: string) =>
    database.number(`SELECT count(*) FROM guests WHERE provisioning_status LIKE '${status}'`)
  await until('no guest is pending', async () => (await count('PENDING%')) === 0, { withinMs: 120_000, everyMs: 20 })
  const tookMs = performance.now() - startedMs
  const failed = guests - (await count('ACTIVE'))
  await simulator.stop()
  return [
    {
      bench: 'guests',
      name: `${guests} guests on ${hosts} simulated hosts`,
      value: (guests / tookMs) * 1_000,
      unit: 'guests/s',
      bound: { of: 'value', atLeast: 100 },
      note: `with a volume and a prepare each; all asked for after ${(askedMs / 1_000).toFixed(1)} s; ${failed} failed`,
    },
  ]
}
