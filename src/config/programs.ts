import type { AgentConfig } from '../agent/config.js'
import type { BrokerConfig } from '../broker/config.js'
import type { EngineConfig } from '../engine/config.js'
import type { SimulationConfig } from '../simulate/config.js'
import { isWildcard } from './address.js'
import { agentKeys } from './agent-keys.js'
import { brokerKeys } from './broker-keys.js'
import { engineKeys } from './engine-keys.js'
import type { Key, Keys, Surroundings } from './key.js'
import { simulationKeys } from './simulation-keys.js'

/** Every program that is configured, and what it is then given. */
export interface Programs {
  readonly engine: EngineConfig
  readonly agent: AgentConfig
  readonly broker: BrokerConfig
  readonly simulate: SimulationConfig
}

export type ProgramName = keyof Programs

const tables: { readonly [P in ProgramName]: Keys<Programs[P]> } = {
  engine: engineKeys,
  agent: agentKeys,
  broker: brokerKeys,
  simulate: simulationKeys,
}

/** What follows from other keys. */
export const completions: { readonly [P in ProgramName]: (config: Programs[P], at: Surroundings) => Programs[P] } = {
  engine: (config, { hostname }) =>
    config.advertise.length > 0 ? config : { ...config, advertise: [dialable(config.tcp, hostname)] },
  agent: (config) => config,
  broker: (config) => config,
  simulate: (config) => config,
}

export const programNames = Object.keys(tables) as ProgramName[]

/** A program's keys by name. Their types are set aside: each key only ever meets values that it has parsed itself. */
export function keysOf(program: ProgramName): ReadonlyMap<string, Key<unknown>> {
  return new Map(Object.entries(tables[program]) as [string, Key<unknown>][])
}

/** One environment may serve all programs of a machine. */
export function knownVariables(): string[] {
  const ofKeys = programNames.flatMap((program) => [...keysOf(program).values()].map(({ env }) => env))
  return [...new Set(['KEELSON_CONFIG', ...ofKeys])]
}

function dialable({ host, port }: EngineConfig['tcp'], hostname: string): EngineConfig['tcp'] {
  return { host: isWildcard(host) ? hostname : host, port }
}
