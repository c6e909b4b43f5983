import type { ApplianceConfig, SimulationConfig } from '../simulate/config.js'
import { joinTokenKeys } from './join-token-keys.js'
import type { Key, Keys } from './key.js'
import { loggingKeys } from './logging-keys.js'
import { addresses, integer, matching, optionalInteger, optionalText } from './parsers.js'

const APPLIANCE = /^([a-zA-Z0-9][\w.-]{0,31})=([^\s,=]{1,200})$/

const appliances: Pick<Key<readonly ApplianceConfig[]>, 'expects' | 'parse' | 'show'> = {
  expects: 'name=hosts (lb1=sim-[1-2]), several separated by commas',
  parse: (value) => {
    const parsed = value.split(',').map((item) => APPLIANCE.exec(item))
    if (!parsed.every((item) => item !== null)) return undefined
    const named = parsed.map(([, name, hosts]) => ({ name: name!, hosts: hosts! }))
    return new Set(named.map(({ name }) => name)).size === named.length && named.every(({ name }) => name !== 'host')
      ? named
      : undefined
  },
  show: (value) => value.map(({ name, hosts }) => `${name}=${hosts}`).join(',') || '(none)',
}

export const simulationKeys: Keys<SimulationConfig> = {
  hosts: {
    ...integer(1, 100_000),
    env: 'KEELSON_SIMULATE_HOSTS',
    meaning: 'Number of hosts to play',
    fallback: () => 3,
  },
  namePrefix: {
    ...matching(/^[a-zA-Z0-9][\w.-]{0,99}$/, 'letters, digits, dots, dashes and underscores'),
    env: 'KEELSON_SIMULATE_NAME_PREFIX',
    meaning: 'Hosts are named with this and a number',
    fallback: () => 'sim-',
  },
  scenario: {
    ...optionalText,
    env: 'KEELSON_SIMULATE_SCENARIO',
    meaning: 'Scenario file: which hosts fail, and how',
    expects: 'the path of a JSON file',
    fallback: () => null,
  },
  seed: {
    ...optionalInteger(0, 4_294_967_295),
    env: 'KEELSON_SIMULATE_SEED',
    meaning: 'Seed of all that is left to chance; printed at the start',
    fallback: () => null,
    fallbackText: "the scenario's, or a new one",
  },
  connectPerSecond: {
    ...integer(1, 100_000),
    env: 'KEELSON_SIMULATE_CONNECT_PER_SECOND',
    meaning: 'Hosts that start to dial per second',
    fallback: () => 500,
  },
  commandLog: {
    ...optionalText,
    env: 'KEELSON_SIMULATE_COMMAND_LOG',
    meaning: 'File that gets a line of JSON for each step of each command',
    expects: 'the path of a file',
    fallback: () => null,
  },
  stateDir: {
    ...optionalText,
    env: 'KEELSON_SIMULATE_STATE_DIR',
    meaning:
      'Directory in which each host keeps its certificate, journal and storage state; without it they end with the process',
    expects: 'the path of a directory',
    fallback: () => null,
  },
  appliances: {
    ...appliances,
    env: 'KEELSON_SIMULATE_APPLIANCES',
    meaning: 'Load balancers beside the hosts: the name of each, and a pattern of the names of the hosts that reach it',
    fallback: () => [],
  },
  engines: {
    ...addresses,
    env: 'KEELSON_ENGINES',
    meaning: 'Engines to dial; more are learned from the first that answers',
    fallback: () => [],
    fallbackText: 'those that the plane told when the hosts joined',
  },
  ...joinTokenKeys('Join token with a use for each host and replace; this or joinTokenFile is required'),
  ...loggingKeys,
}
