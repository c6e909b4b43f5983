import { newKeyAndRequest } from './certificate-request.js'
import { type HostIdentity, validityOf, withGrant } from './identity.js'
import type { Logger } from './logger.js'
import type { CurrentSession } from './session.js'

export interface RenewalOptions {
  readonly identity: () => HostIdentity
  /** Used from the next connection on; the session that is open stays. */
  readonly onRenewed: (identity: HostIdentity) => Promise<void>
  readonly current: CurrentSession
  readonly logger: Logger
  readonly random?: () => number
}

/** Of the certificate's life that pass before the next is asked for, and how far hosts are spread. */
const DUE_AFTER = 2 / 3
const SPREAD = 0.05
const LOOK_MIN_MS = 250
const LOOK_MAX_MS = 3_600_000

/** Asks for the next certificate in time, over whatever session is open then. */
export class CertificateRenewal {
  private timer: NodeJS.Timeout | null = null
  private readonly spread: number
  private stopped = false

  constructor(private readonly options: RenewalOptions) {
    this.spread = (options.random ?? Math.random)() * SPREAD
  }

  start(): void {
    this.look()
  }

  stop(): void {
    this.stopped = true
    if (this.timer) clearTimeout(this.timer)
  }

  private look(): void {
    void this.renewWhenDue()
      .catch((error: unknown) => {
        this.options.logger.warn({ err: error }, 'the certificate could not be renewed: trying again')
        return this.lifeMs() / 50
      })
      .then((againMs) => {
        if (this.stopped) return
        this.timer = setTimeout(() => this.look(), Math.min(Math.max(againMs, LOOK_MIN_MS), LOOK_MAX_MS)).unref()
      })
  }

  /** @returns when to look again */
  private async renewWhenDue(): Promise<number> {
    const leftMs = this.dueMs() - Date.now()
    const { session } = this.options.current
    if (leftMs > 0) return leftMs
    if (session === null) return this.lifeMs() / 100
    const { identity, onRenewed, logger } = this.options
    const { key, csr } = await newKeyAndRequest()
    const next = withGrant(identity(), key, await session.renew(csr))
    await onRenewed(next)
    logger.info({ notAfter: validityOf(next).notAfter.toISOString() }, 'the certificate was renewed')
    return this.dueMs() - Date.now()
  }

  private dueMs(): number {
    return Date.parse(this.options.identity().obtainedAt) + this.lifeMs() * (DUE_AFTER + this.spread)
  }

  /** By this host's clock: from when it had the certificate to its end. */
  private lifeMs(): number {
    const identity = this.options.identity()
    return Math.max(0, validityOf(identity).notAfter.getTime() - Date.parse(identity.obtainedAt))
  }
}
