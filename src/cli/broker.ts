import type { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { createLogger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'
import { runUntilStopped } from './lifecycle.js'

const STOP_LIMIT_MS = 15_000

export function brokerCommand(parent: Command): void {
  const command = parent.command('broker').description("a host's HA broker, for HA agents on the same machine")
  withKeys(command, 'broker').action(async (options: Options) => {
    const config = loadConfig('broker', requestOf(options))
    const logger = createLogger('broker', config)
    await runUntilStopped({
      logger,
      stopLimitMs: STOP_LIMIT_MS,
      start: async () => {
        const { startBroker } = await import('../broker/broker.js')
        return startBroker(config, logger)
      },
    })
  })
}
