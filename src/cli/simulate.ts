import type { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { createLogger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'
import { runUntilStopped } from './lifecycle.js'

const STOP_LIMIT_MS = 30_000

export function simulateCommand(parent: Command): void {
  const command = parent.command('simulate').description('play many hosts in one process, over the real transport')
  withKeys(command, 'simulate').action(async (options: Options) => {
    const config = loadConfig('simulate', requestOf(options))
    const logger = createLogger('simulate', config)
    await runUntilStopped({
      logger,
      stopLimitMs: STOP_LIMIT_MS,
      start: async () => {
        const { startSimulation } = await import('../simulate/simulation.js')
        return startSimulation(config, logger)
      },
    })
  })
}
