import { readFileSync } from 'node:fs'
import type { Command } from 'commander'
import { describeKeys } from '../config/describe.js'
import { ExitError, exitCodes } from '../config/exit.js'
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
  withKeys(
    agent
      .command('join')
      .description('make this machine a host of the plane that the join token is of')
      .argument(
        '[token]',
        'the join token; - reads it from standard input; without it, --token-file or KEELSON_JOIN_TOKEN',
      ),
    'agent',
    ['name', 'stateDir'],
  )
    .option('--token-file <file>', 'file that holds the join token: it is then in no argv')
    .option('--force', 'even where the machine is a host already')
    .action(join)
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

async function join(given: string | undefined, options: Options): Promise<void> {
  const { tokenFile, ...keys } = options
  const names = ['name', 'stateDir', 'joinToken', 'joinTokenFile'] as const
  const config = loadKeys('agent', names, requestOf(keys))
  const { configuredToken, joinPlane, readTokenFile } = await import('../agent/join.js')
  const { identityPath, validityOf } = await import('../agent/identity.js')
  const token =
    given === '-'
      ? readFileSync(0, 'utf8').trim()
      : (given ?? (typeof tokenFile === 'string' ? await readTokenFile(tokenFile) : await configuredToken(config)))
  if (!token)
    throw new ExitError(
      exitCodes.usage,
      'no join token was given: as an argument, by --token-file, or as KEELSON_JOIN_TOKEN',
    )
  const identity = await joinPlane(config, token, { force: options.force === true })
  const { notAfter } = validityOf(identity)
  console.log(`This machine is host ${identity.name} (${identity.hostId}).`)
  console.log(
    `Its certificate is good until ${notAfter.toISOString()}, and renewed in time; its key is in ${identityPath(config.stateDir)}.`,
  )
  console.log(`Engines to dial: ${identity.engines.join(', ')}. Start the agent: keelson agent`)
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
