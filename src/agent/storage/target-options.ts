import type { StorageUri } from '../../wire/storage/uri.js'
import type { Logger } from '../logger.js'
import type { StorageDriver } from './driver.js'
import type { StorageState } from './state.js'

export interface TargetSettings {
  probeIntervalMs: number
  probeTimeoutMs: number
}

export interface TargetOptions<T> {
  readonly uri: StorageUri
  readonly driver: StorageDriver
  readonly state: StorageState
  readonly bootId: string
  readonly settings: TargetSettings
  readonly logger: Logger
  readonly onStatus: (target: T) => void
  /** No id is left and nothing is connected: the target is not kept any longer. */
  readonly onGone: (target: T) => void
  readonly random?: () => number
  readonly backoff?: { readonly baseMs: number; readonly maxMs: number }
}
