import { join } from 'node:path'
import { type RunningAgent, startAgent } from '../../../src/agent/agent.js'
import type { AgentConfig } from '../../../src/agent/config.js'
import { silentLogger } from '../../../src/agent/logger.js'
import { FakeEngine } from './fake-engine.js'
import { temporaryDirectory, whenTestEnds } from './temporary.js'

export async function engineForTest(...settings: Parameters<typeof FakeEngine.start>): Promise<FakeEngine> {
  const engine = await FakeEngine.start(...settings)
  engine.welcome = { settings: { 'storage.probeIntervalMs': 30 } }
  whenTestEnds(() => engine.stop())
  return engine
}

export async function configFor(engine: FakeEngine, overrides: Partial<AgentConfig> = {}): Promise<AgentConfig> {
  return {
    name: 'h1',
    engines: [engine.address],
    joinSecret: 'correct horse',
    stateDir: join(await temporaryDirectory(), 'state'),
    logLevel: 'silent',
    logFormat: 'json',
    ...overrides,
  }
}

export async function agentForTest(config: AgentConfig): Promise<RunningAgent> {
  const agent = await startAgent(config, silentLogger)
  whenTestEnds(() => agent.stop('stopping'))
  return agent
}
