import type { Address } from '../config/address.js'
import type { LogFormat, LogLevel } from '../log/levels.js'

/** A load balancer beside the hosts, and the pattern of the names of those that reach it. */
export interface ApplianceConfig {
  readonly name: string
  readonly hosts: string
}

/** How many hosts are played, where they dial, and what goes wrong with them. */
export interface SimulationConfig {
  readonly hosts: number
  /** Hosts are named `<namePrefix>1`, `<namePrefix>2`, … */
  readonly namePrefix: string
  /** Path of a scenario file; null: nothing goes wrong. */
  readonly scenario: string | null
  /** Of all that is left to chance; null: the scenario's, or a new one, which is printed. */
  readonly seed: number | null
  readonly connectPerSecond: number
  /** File that gets a line of JSON for each step of each command; null: none. */
  readonly commandLog: string | null
  /** Below it each host keeps its identity, journal and storage state, so that it survives this process; null: in memory. */
  readonly stateDir: string | null
  /** Load balancers beside the hosts. */
  readonly appliances: readonly ApplianceConfig[]
  readonly engines: readonly Address[]
  /** With a use for each host. */
  readonly joinToken: string | null
  readonly joinTokenFile: string | null
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
}
