import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, Figure } from '../figures.js'
import { measureReal } from './real.js'
import { measureSimulated } from './simulated.js'

export const guests: Bench = {
  name: 'guests',
  meaning:
    'guests: many on simulated hosts; on real libvirt what the plane adds to a boot, twenty at once, and a dead one',
  async run(setting): Promise<Figure[]> {
    const database = await BenchDatabase.create(setting.postgresUrl)
    setting.afterwards(() => database.drop())
    const engine = await BenchEngine.start({ databaseUrl: database.url })
    setting.afterwards(() => engine.stop())
    const simulated = await measureSimulated(setting, engine, database)
    return [...simulated, ...(await measureReal(setting, engine))]
  },
}
