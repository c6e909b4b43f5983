import { BenchDatabase } from '../database.js'
import { BenchEngine } from '../engine.js'
import type { Bench, Figure } from '../figures.js'
import { measureKeeper } from './keeper.js'
import { measureLists } from './lists.js'

export const storage: Bench = {
  name: 'storage',
  meaning: 'lists of many storage connections, and what keeping a hundred targets costs a host that does nothing else',
  async run(setting): Promise<Figure[]> {
    const database = await BenchDatabase.create(setting.postgresUrl)
    setting.afterwards(() => database.drop())
    const engine = await BenchEngine.start({ databaseUrl: database.url })
    setting.afterwards(() => engine.stop())
    const keeper = await measureKeeper(setting, engine)
    return [...(await measureLists(setting, engine, database)), ...keeper]
  },
}
