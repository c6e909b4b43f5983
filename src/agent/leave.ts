import { startAgent } from './agent.js'
import type { AgentConfig } from './config.js'
import { askAgent } from './control.js'
import { heldError } from './holds.js'
import type { Logger } from './logger.js'
import { readAgentStatus } from './status.js'

const SESSION_MS = 15_000
const GONE_MS = 30_000
const LOOK_EVERY_MS = 100

/** Leaving was not possible; nothing has changed. */
export class LeaveError extends Error {
  readonly exitCode = 1

  constructor(message: string) {
    super(message)
    this.name = 'LeaveError'
  }
}

/**
 * Tells the plane that this host gives its place up, and ends the agent. Without `force` nothing may be held any more, and
 * an engine must have been told. What is mounted stays mounted.
 */
export async function leaveAgent(
  config: AgentConfig,
  logger: Logger,
  { force }: { readonly force: boolean },
): Promise<void> {
  const reply = await askAgent(config.stateDir, { ask: 'leave', force }).catch(absent)
  if (reply?.error !== undefined) throw new LeaveError(reply.error)
  if (reply !== null) {
    const gone = await within(GONE_MS, async () => !(await isRunning(config.stateDir)))
    if (!gone) throw new LeaveError(`the agent was told to leave, and still runs after ${GONE_MS} ms`)
    return
  }
  const { holds } = await readAgentStatus(config.stateDir)
  const held = heldError(holds)
  if (held !== null && !force) throw new LeaveError(held)
  await sayFarewell(config, logger, { force })
}

/** No agent runs: one is started for as long as a session takes. */
async function sayFarewell(config: AgentConfig, logger: Logger, { force }: { readonly force: boolean }): Promise<void> {
  const agent = await startAgent(config, logger)
  try {
    const connected = async () => (await readAgentStatus(config.stateDir)).session?.state === 'connected'
    if (!(await within(SESSION_MS, connected)) && !force) throw new LeaveError('no engine could be told')
  } finally {
    await agent.stop('leaving')
  }
}

/** One that is just closing its socket may break an answer off: that is still running. */
async function isRunning(stateDir: string): Promise<boolean> {
  const reply = await askAgent(stateDir, { ask: 'status' }).catch(() => undefined)
  return reply !== null
}

/** No state directory: no agent. */
function absent(error: NodeJS.ErrnoException): null {
  if (error.code === 'ENOENT') return null
  throw error
}

/** @returns whether the condition came true in time. */
async function within(limitMs: number, condition: () => Promise<boolean>): Promise<boolean> {
  const untilMs = performance.now() + limitMs
  while (!(await condition())) {
    if (performance.now() > untilMs) return false
    await new Promise((resolve) => setTimeout(resolve, LOOK_EVERY_MS))
  }
  return true
}
