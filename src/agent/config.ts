/** Where a replica listens for hosts. */
export interface EngineAddress {
  readonly host: string
  readonly port: number
}

/** All that an agent is told from outside; everything else comes with the welcome of a session. */
export interface AgentConfig {
  /** What the host is to be called in the plane, when it joins. */
  readonly name: string
  /** To be dialled before those that the plane told of. */
  readonly engines: readonly EngineAddress[]
  readonly joinToken: string | null
  readonly joinTokenFile: string | null
  /** Identity, journal, storage state, lock, control socket and mount points live here. */
  readonly stateDir: string
  /** Of the libvirt that runs guests. */
  readonly libvirtUri: string
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly logFormat: 'auto' | 'json' | 'pretty'
}
