import type { Address } from '../config/address.js'
import type { LogFormat, LogLevel } from '../log/levels.js'

/** What an engine is told once, at its start; everything else that matters is a row in `settings`. */
export interface EngineConfig {
  readonly http: Address
  readonly tcp: Address
  /** Where REST is reached: what pages of the plane's own come from, beside the Host header; none: as `http` says. */
  readonly publicUrls: readonly string[]
  /** CIDR ranges. */
  readonly trustedProxies: readonly string[]
  readonly tls: 'auto' | 'off'
  /** An outside certificate for REST, and its key. */
  readonly tlsCertFile: string | null
  readonly tlsKeyFile: string | null
  /** An outside certificate authority for hosts and replicas, and its key. */
  readonly caCertFile: string | null
  readonly caKeyFile: string | null
  /** Null: an embedded Postgres in `dataDir`. */
  readonly databaseUrl: string | null
  readonly dataDir: string
  /** Keys that secrets in the database are sealed with, the current one first. */
  readonly sealingKeys: string | null
  /** A file of such keys. */
  readonly sealingKeyFile: string | null
  /** Where an administrator's token is written at first start; null: nowhere. */
  readonly bootstrapTokenFile: string | null
  readonly replicaName: string
  /** Addresses of this replica's transport as hosts can dial them. */
  readonly advertise: readonly Address[]
  readonly logLevel: LogLevel
  readonly logFormat: LogFormat
  readonly poolSize: number
  readonly httpBodyLimitBytes: number
  readonly requestTimeoutMs: number
  readonly drainTimeoutMs: number
}
