import type { Bench } from '../figures.js'
import { measureEndToEnd } from './end-to-end.js'
import { measurePut } from './put.js'

export const commands: Bench = {
  name: 'commands',
  meaning: 'commands into the queue, against pgbench with the same SQL; and through it, to hosts and back',
  run: async (setting) => [...(await measurePut(setting)), ...(await measureEndToEnd(setting))],
}
