import type { Figure } from '../figures.js'
import type { Simulator } from '../simulator.js'
import type { Fleet } from './bench.js'
import { type Watched, watch } from './heartbeats.js'

const KIB = 1024

/** Memory of the engine, its end of mutual TLS among it, before the first host and with all of them idle, both after full collections. */
export async function measureMemory(fleet: Fleet): Promise<{ figures: Figure[]; playing: Simulator; idle: Watched }> {
  const { engine, hosts, settleMs } = fleet
  await elapse(settleMs)
  const idle = await watch(fleet)
  const before = await engine.memory()
  const playing = await fleet.simulator()
  await elapse(settleMs)
  const after = await engine.memory()
  const perHost = (of: 'rssBytes' | 'heapUsedBytes') => (after[of] - before[of]) / hosts / KIB
  const mib = (bytes: number) => (bytes / KIB / KIB).toFixed(0)
  return {
    playing,
    idle,
    figures: [
      {
        bench: 'fleet',
        name: `resident memory an idle host, ${hosts} hosts`,
        value: perHost('rssBytes'),
        unit: 'KiB',
        bound: { of: 'value', atMost: 100 },
        note: `engine ${mib(before.rssBytes)} MiB without hosts, ${mib(after.rssBytes)} MiB with all, after collections; the heap alone grew by ${perHost('heapUsedBytes').toFixed(1)} KiB a host`,
      },
    ],
  }
}

const elapse = (ms: number): Promise<void> => new Promise((resolve) => setTimeout(resolve, ms))
