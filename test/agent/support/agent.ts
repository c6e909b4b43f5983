import { mkdir } from 'node:fs/promises'
import { join } from 'node:path'
import { type RunningAgent, startAgent } from '../../../src/agent/agent.js'
import type { HostBalancing } from '../../../src/agent/balancing/host-balancing.js'
import type { AgentConfig } from '../../../src/agent/config.js'
import { writeIdentity } from '../../../src/agent/identity.js'
import { silentLogger } from '../../../src/agent/logger.js'
import type { KernelConnection } from '../../../src/agent/storage/kernel.js'
import { testAuthority } from '../../support/authority.js'
import { FakeEngine } from './fake-engine.js'
import { temporaryDirectory, whenTestEnds } from './temporary.js'

export async function engineForTest(...settings: Parameters<typeof FakeEngine.start>): Promise<FakeEngine> {
  const engine = await FakeEngine.start(...settings)
  engine.welcome = { settings: { 'storage.probeIntervalMs': 30 } }
  whenTestEnds(() => engine.stop())
  return engine
}

/** Of a host that has joined. */
export async function configFor(engine: FakeEngine, overrides: Partial<AgentConfig> = {}): Promise<AgentConfig> {
  const config = await configOfStranger(engine, overrides)
  await mkdir(config.stateDir, { recursive: true, mode: 0o700 })
  await writeIdentity(config.stateDir, await (await testAuthority()).identityOf(config.name))
  return config
}

/** Of a machine that is no host yet. */
export async function configOfStranger(engine: FakeEngine, overrides: Partial<AgentConfig> = {}): Promise<AgentConfig> {
  return {
    name: 'h1',
    engines: [engine.address],
    joinToken: null,
    joinTokenFile: null,
    stateDir: join(await temporaryDirectory(), 'state'),
    libvirtUri: 'qemu+unix:///system?socket=/none',
    logLevel: 'silent',
    logFormat: 'json',
    ...overrides,
  }
}

/** @param kernel what the kernel shows: not what happens to be mounted on the machine of the test */
export async function agentForTest(
  config: AgentConfig,
  kernel: readonly KernelConnection[] = [],
  balancing: HostBalancing = { devices: [], places: null },
): Promise<RunningAgent> {
  const agent = await startAgent(config, silentLogger, { kernel: async () => kernel, balancing, hypervisor: null })
  whenTestEnds(() => agent.stop('stopping'))
  return agent
}
