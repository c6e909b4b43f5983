import type { Logger } from '../../log/logger.js'
import type { Notifications } from '../platform/notifications.js'
import { AUTHORITIES_CHANNEL, type Authorities } from './authorities.js'
import { type CertifiedKey, factsOf, makeEngineCertificate } from './certificates.js'

const LIFE_MS = 30 * 86_400_000
const LOOK_MS = 60_000

/** What a TLS server of this replica shows, and whom it trusts, both in PEM. */
export interface EngineCredentials extends CertifiedKey {
  /** The certificate with the one of its authority behind it. */
  readonly chain: string
  readonly authorities: readonly string[]
}

/** This replica's own certificate: in memory alone, made at start, and made anew in time. */
export class EngineCertificate {
  private readonly listeners = new Set<(credentials: EngineCredentials) => void>()
  private timer: NodeJS.Timeout | null = null
  /** One look after the other: two at once would make two certificates. */
  private last: Promise<void> = Promise.resolve()

  private constructor(
    private readonly authorities: Authorities,
    private readonly names: readonly string[],
    private readonly logger: Pick<Logger, 'info' | 'warn'>,
    private now: EngineCredentials,
  ) {}

  /** @param names host names and addresses of this replica */
  static async make(
    authorities: Authorities,
    names: readonly string[],
    logger: Pick<Logger, 'info' | 'warn'>,
  ): Promise<EngineCertificate> {
    return new EngineCertificate(authorities, names, logger, await credentialsOf(authorities, names))
  }

  get credentials(): EngineCredentials {
    return this.now
  }

  onChange(listener: (credentials: EngineCredentials) => void): void {
    this.listeners.add(listener)
  }

  /** Another replica may have added an authority, and says so; time makes a certificate old. */
  start(notifications: Pick<Notifications, 'listen'>): void {
    const look = () => {
      this.last = this.last
        .then(() => this.renewWhenDue())
        .catch((err: unknown) => this.logger.warn({ err }, 'the certificate cannot be looked after'))
    }
    notifications.listen(AUTHORITIES_CHANNEL, look)
    this.timer = setInterval(look, LOOK_MS)
    this.timer.unref()
  }

  stop(): void {
    if (this.timer) clearInterval(this.timer)
  }

  /** At half of its life: a database that is away for days does no harm. */
  private async renewWhenDue(): Promise<void> {
    const changed = await this.authorities.reload()
    if (!changed && !isHalfOver(this.now.certificate)) return
    this.now = await credentialsOf(this.authorities, this.names)
    this.logger.info({ trusted: this.authorities.fingerprints }, 'this replica has a new certificate')
    for (const listener of this.listeners) listener(this.now)
  }
}

/** Of the certificate's own life: its authority may end sooner than most. */
function isHalfOver(certificate: string): boolean {
  const { notBefore, notAfter } = factsOf(certificate)
  return notAfter.getTime() - Date.now() < (notAfter.getTime() - notBefore.getTime()) / 2
}

async function credentialsOf(authorities: Authorities, names: readonly string[]): Promise<EngineCredentials> {
  const { engineSigner: signer } = authorities
  const made = await makeEngineCertificate(signer, { names, lifeMs: LIFE_MS })
  const chain = `${made.certificate}\n${signer.certificate.toString('pem')}\n`
  return { ...made, chain, authorities: authorities.trusted }
}
