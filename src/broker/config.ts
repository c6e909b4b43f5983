/** Where a broker listens beside its unix socket; loopback only. */
export interface BrokerTcp {
  readonly host: string
  readonly port: number
}

/** All that a broker is told: no call hands it storage or a host id (B2). */
export interface BrokerConfig {
  /** Of this host among those that share the whiteboard, 1 to 2000; null: it publishes nothing of its own, and locks no id. */
  readonly hostId: number | null
  /** The whiteboard: a file on a storage that all hosts of it have mounted. */
  readonly whiteboard: string
  readonly socket: string
  /** Permissions of the socket, as chmod(1) takes them. */
  readonly socketMode: number
  /** Numeric `user:group` that the socket is given to; null: whoever runs the broker. */
  readonly socketOwner: { readonly uid: number; readonly gid: number } | null
  readonly tcp: BrokerTcp | null
  /** What must survive a restart: which monitors run. */
  readonly stateDir: string
  readonly libvirtUri: string
  readonly logLevel: 'fatal' | 'error' | 'warn' | 'info' | 'debug' | 'trace' | 'silent'
  readonly logFormat: 'auto' | 'json' | 'pretty'
}
