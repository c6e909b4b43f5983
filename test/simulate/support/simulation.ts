import { writeFile } from 'node:fs/promises'
import { join } from 'node:path'
import { silentLogger } from '../../../src/agent/logger.js'
import type { SimulationConfig } from '../../../src/simulate/config.js'
import type { Identities } from '../../../src/simulate/identities.js'
import { type RunningSimulation, startSimulation } from '../../../src/simulate/simulation.js'
import { temporaryDirectory } from '../../agent/support/temporary.js'
import { testAuthority } from '../../support/authority.js'

export interface ScriptedScenario {
  readonly seed?: number
  readonly rules?: readonly object[]
  readonly steps?: readonly object[]
}

const running: RunningSimulation[] = []

/** A simulation of one host by default, stopped with the test. */
export async function simulate(
  engine: { readonly host: string; readonly port: number },
  scenario: ScriptedScenario = {},
  overrides: Partial<SimulationConfig> = {},
): Promise<RunningSimulation> {
  const path = join(await temporaryDirectory(), 'scenario.json')
  await writeFile(path, JSON.stringify(scenario))
  const simulation = await startSimulation(
    {
      hosts: 1,
      namePrefix: 'sim-',
      scenario: path,
      seed: 1,
      connectPerSecond: 1000,
      commandLog: null,
      stateDir: null,
      appliances: [],
      engines: [engine],
      joinToken: null,
      joinTokenFile: null,
      logLevel: 'silent',
      logFormat: 'json',
      ...overrides,
    },
    silentLogger,
    overrides.joinToken ? undefined : await certified(),
  )
  running.push(simulation)
  return simulation
}

/** For a fake engine: nobody is asked. */
async function certified(): Promise<Identities> {
  const authority = await testAuthority()
  return { of: (name) => authority.identityOf(name), renewed: async () => undefined, stop: () => undefined }
}

// Registered behind the removal of directories, and so run before it.
afterEach(async () => {
  await Promise.all(running.splice(0).map((simulation) => simulation.stop()))
})
