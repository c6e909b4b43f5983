import type { Fault } from '../../wire/session.js'
import type { KernelConnection } from './kernel.js'
import type { StorageScheme, UriOf } from './uri.js'

export type StorageOptions = Readonly<Record<string, string>>

export type ProbeResult =
  | { readonly seen: 'up' }
  | { readonly seen: 'degraded'; readonly fault: Fault }
  /** Connected as far as the kernel knows, but of no use: it is to be connected anew. */
  | { readonly seen: 'down'; readonly fault: Fault }
  /** No longer connected at all. */
  | { readonly seen: 'lost'; readonly fault: Fault }

/** `gently`: what is busy stays; `firmly`: what is busy is let go of too; `lazily`: at once, since it hangs. */
export type Grip = 'gently' | 'firmly' | 'lazily'

/**
 * What one kind of storage needs of the host. Each step says a state and may be repeated. A step or probe that fails
 * throws `FaultError`; one whose child cannot be killed throws `StuckError`. Nothing here touches the storage from the
 * agent's own process.
 */
export interface StorageDriver<S extends StorageScheme = StorageScheme> {
  /** Why this host cannot use the scheme at all; null when it can. */
  obstacle(): Fault | null
  /** @throws FaultError `bad-arguments` */
  checkOptions(options: StorageOptions): void
  /** Whether the kernel shows it connected, by whomever. */
  isConnected(uri: UriOf<S>): Promise<boolean>
  /**
   * Whether this, of what the kernel shows, is the connection: `itself`, or only a `view` of what belongs to something else,
   * as a bind mount is.
   */
  recognises(uri: UriOf<S>, seen: KernelConnection): 'itself' | 'view' | null
  connect(uri: UriOf<S>, options: StorageOptions): Promise<void>
  disconnect(uri: UriOf<S>, grip: Grip): Promise<void>
  probe(uri: UriOf<S>, options: StorageOptions, limits: ProbeLimits): Promise<ProbeResult>
}

export interface ProbeLimits {
  readonly timeoutMs: number
  readonly signal: AbortSignal
}

/** A scheme without a driver does not compile. */
export type StorageDrivers = { readonly [S in StorageScheme]: StorageDriver<S> }
