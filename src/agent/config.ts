/** Where a replica listens for hosts. */
export interface EngineAddress {
  readonly host: string
  readonly port: number
}

/** All that an agent is told from outside; everything else comes with the welcome of a session. */
export interface AgentConfig {
  /** The host's name in the plane. */
  readonly name: string
  readonly engines: readonly EngineAddress[]
  readonly joinSecret: string
  /** Journal, storage state, lock, control socket and mount points live here. */
  readonly stateDir: string
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly logFormat: 'auto' | 'json' | 'pretty'
}
