import type { Command } from 'commander'
import { describeKeys } from '../config/describe.js'
import { loadConfig, loadKeys } from '../config/load.js'
import { createLogger } from '../log/logger.js'
import { type Options, requestOf, withKeys } from './flags.js'
import { runUntilStopped } from './lifecycle.js'
import { formatTree } from './tree.js'

const STOP_LIMIT_MS = 60_000

export function agentCommand(parent: Command): void {
  const agent = parent.command('agent').description('run on a host, or ask about the agent that does')
  agent.addHelpText('after', () => `\n${describeKeys('agent')}`)
  withKeys(
    agent.command('run', { isDefault: true }).description("drive this host's storage and workloads (the default)"),
    'agent',
  ).action(run)
  withKeys(
    agent.command('status').description('show session, queue, journal and what is held; also while no agent runs'),
    'agent',
    ['stateDir'],
  )
    .option('--json', 'as JSON')
    .action(status)
  withKeys(agent.command('leave').description('take this host out of the plane'), 'agent')
    .option('--force', 'even while something is held')
    .action(leave)
}

async function run(options: Options): Promise<void> {
  const config = loadConfig('agent', requestOf(options))
  const logger = createLogger('agent', config)
  await runUntilStopped({
    logger,
    stopLimitMs: STOP_LIMIT_MS,
    start: async () => {
      const { startAgent } = await import('../agent/agent.js')
      const agent = await startAgent(config, logger)
      return { stop: () => agent.stop('stopping') }
    },
  })
}

async function status(options: Options): Promise<void> {
  const { stateDir } = loadKeys('agent', ['stateDir'], requestOf(options))
  const { readAgentStatus } = await import('../agent/status.js')
  const answer = await readAgentStatus(stateDir)
  console.log(options.json ? JSON.stringify(answer, null, 2) : formatTree(answer))
}

async function leave(options: Options): Promise<void> {
  const config = loadConfig('agent', requestOf(options))
  const { leaveAgent } = await import('../agent/leave.js')
  await leaveAgent(config, createLogger('agent', config), { force: options.force === true })
}
