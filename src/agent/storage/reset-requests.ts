import type { StorageOperatingStatus } from '../../wire/commands.js'
import { FaultError } from '../fault.js'

export interface ResetRequest {
  readonly resolve: (status: StorageOperatingStatus) => void
  readonly reject: (error: unknown) => void
}

/** Resets that were asked for and have not begun: what is not waited for any longer must not happen later. */
export class ResetRequests {
  private readonly waiting = new Set<ResetRequest>()

  get some(): boolean {
    return this.waiting.size > 0
  }

  /** Rejects as soon as `signal` fires, also when the reset is under way by then. */
  add(signal: AbortSignal): Promise<StorageOperatingStatus> {
    return new Promise((resolve, reject) => {
      const request: ResetRequest = { resolve, reject }
      const abort = () => {
        this.waiting.delete(request)
        reject(new FaultError('aborted', 'not waited for any longer'))
      }
      if (signal.aborted) return abort()
      this.waiting.add(request)
      signal.addEventListener('abort', abort, { once: true })
    })
  }

  /** Those that begin, or end, now. */
  take(): readonly ResetRequest[] {
    const requests = [...this.waiting]
    this.waiting.clear()
    return requests
  }
}
