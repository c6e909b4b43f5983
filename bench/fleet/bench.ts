import { makeAuthority } from '../../src/engine/identity/certificates.js'
import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, Figure } from '../figures.js'
import type { Simulator } from '../simulator.js'
import { measureHeartbeats } from './heartbeats.js'
import { startMembers } from './members-simulator.js'
import { measureMemory } from './memory.js'
import { measureReturn } from './return.js'

export interface FleetSetting {
  readonly hosts: number
  readonly heartbeatMs: number
  /** How long heartbeats, and an engine without hosts before them, are watched. */
  readonly watchMs: number
  readonly restarts: number
  /** Before anything is watched: backends keep what they did to themselves for ten seconds at the most. */
  readonly settleMs: number
}

export interface Fleet extends FleetSetting {
  readonly database: BenchDatabase
  readonly engine: BenchEngine
  readonly simulator: () => Promise<Simulator>
}

const full: FleetSetting = { hosts: 5_000, heartbeatMs: 2_500, watchMs: 20_000, restarts: 3, settleMs: 12_000 }
const smoke: FleetSetting = { hosts: 100, heartbeatMs: 500, watchMs: 2_000, restarts: 1, settleMs: 1_500 }

export const fleet: Bench = {
  name: 'fleet',
  meaning: 'what idle hosts cost one engine, and how soon all of them are back after it was killed',
  async run(setting): Promise<Figure[]> {
    const sizes = setting.smoke ? smoke : full
    const database = await BenchDatabase.create(setting.postgresUrl)
    setting.afterwards(() => database.drop())
    const authority = await makeAuthority()
    const engine = await BenchEngine.start({ databaseUrl: database.url, authority })
    setting.afterwards(() => engine.stop())
    await engine.set('sessions.heartbeatMs', sizes.heartbeatMs)
    const simulator = async (): Promise<Simulator> => {
      const started = await startMembers({ engine, database, authority, hosts: sizes.hosts })
      setting.afterwards(() => started.stop())
      await started.connected()
      return started
    }
    const parts: Fleet = { ...sizes, database, engine, simulator }
    const { figures, playing, idle } = await measureMemory(parts)
    return [...figures, ...(await measureHeartbeats(parts, idle)), ...(await measureReturn(parts, playing))]
  },
}
