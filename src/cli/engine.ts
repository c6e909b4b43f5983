import type { Command } from 'commander'
import { loadConfig } from '../config/load.js'
import { createLogger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'
import { runUntilStopped } from './lifecycle.js'

/** Beyond the drain: closing listeners and the database, an embedded one's shutdown among it. */
const CLOSING_MS = 30_000

export function engineCommand(parent: Command): void {
  const command = parent
    .command('engine')
    .description('run the control plane: REST, and the transport that agents dial')
  withKeys(command, 'engine').action(async (options: Options) => {
    const config = loadConfig('engine', requestOf(options))
    const logger = createLogger('engine', config)
    await runUntilStopped({
      logger,
      stopLimitMs: config.drainTimeoutMs + CLOSING_MS,
      start: async () => {
        const { startEngine } = await import('../engine/start.js')
        return startEngine(config, logger)
      },
    })
  })
}
