import type { Fault } from '../../wire/session.js'
import type { StorageCredentials, StorageOptions } from '../../wire/storage/arguments.js'
import type { StorageScheme, UriOf } from '../../wire/storage/uri.js'
import type { KernelConnection } from './kernel.js'

export type ProbeResult =
  | (Working & { readonly seen: 'up' })
  | (Working & { readonly seen: 'degraded'; readonly fault: Fault })
  /** Connected as far as the kernel knows, but of no use: it is to be connected anew, unless it `heals` by itself. */
  | { readonly seen: 'down'; readonly fault: Fault; readonly heals?: boolean }
  /** No longer connected at all. */
  | { readonly seen: 'lost'; readonly fault: Fault }

interface Working {
  /** Why an id that asks this of the target does not have it; null: it has. Left out: no id lacks anything. */
  readonly lacks?: (own: StorageOptions) => Fault | null
}

/** `gently`: what is busy stays; `firmly`: what is busy is let go of too; `lazily`: at once, since it hangs. */
export type Grip = 'gently' | 'firmly' | 'lazily'

/** How a target is connected. */
export interface Means {
  /** In the rules' spelling, without those that say the default. */
  readonly options: StorageOptions
  readonly credentials: StorageCredentials
}

/**
 * What one kind of storage needs of the host. Each step says a state and may be repeated. A step or probe that fails
 * throws `FaultError`; one whose child cannot be killed throws `StuckError`. Nothing here touches the storage from the
 * agent's own process, and no credential is in an argv, an environment, a log or a fault.
 */
export interface StorageDriver<S extends StorageScheme = StorageScheme> {
  /** What of this host stands in the way of the scheme, or of a kind of it, by name; null when nothing does. Asked often. */
  obstacle(kind?: string | null): Promise<Fault | null>
  /** Once, when the agent starts: what a crash has left behind goes. */
  tidy?(): Promise<void>
  /** Whether the kernel shows it connected, by whomever. */
  isConnected(uri: UriOf<S>): Promise<boolean>
  /**
   * Whether this, of what the kernel shows, is the connection: `itself`, or only a `view` of what belongs to something else,
   * as a bind mount is.
   */
  recognises(uri: UriOf<S>, seen: KernelConnection): 'itself' | 'view' | null
  /** Where what it holds shows as files, while it is connected. Left out: nowhere. */
  directory?(uri: UriOf<S>): string
  connect(uri: UriOf<S>, means: Means): Promise<void>
  disconnect(uri: UriOf<S>, grip: Grip): Promise<void>
  probe(uri: UriOf<S>, options: StorageOptions, limits: ProbeLimits): Promise<ProbeResult>
}

export interface ProbeLimits {
  readonly timeoutMs: number
  readonly signal: AbortSignal
  /** What the ids of the target ask of it, each its own: `lun` of an iSCSI session, for one. */
  readonly own: readonly StorageOptions[]
}

/** A scheme without a driver does not compile. */
export type StorageDrivers = { readonly [S in StorageScheme]: StorageDriver<S> }
