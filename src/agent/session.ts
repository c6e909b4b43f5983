import type { CertificateGrant } from '../wire/enrolment.js'
import type { Observation, Permit, Report } from '../wire/session.js'

/** An open session, seen from those who call the engine through it. Every call has a timeout; all throw when it ends. */
export interface Session {
  readonly epoch: number
  /** The engine's address, `host:port`. */
  readonly address: string
  permit(commandId: string): Promise<Permit>
  /** @returns the ids that are recorded for good. */
  report(reports: readonly Report[]): Promise<readonly string[]>
  observe(observations: readonly Observation[]): Promise<void>
  /** @param csr PKCS #10 in PEM */
  renew(csr: string): Promise<CertificateGrant>
}

/** The session that is open now, if any, for all who have something to say to the plane. */
export class CurrentSession {
  private open: Session | null = null
  private readonly listeners = new Set<(session: Session | null) => void>()

  get session(): Session | null {
    return this.open
  }

  set(session: Session | null): void {
    this.open = session
    for (const listener of [...this.listeners]) listener(session)
  }

  /** @returns how to stop listening. */
  onChange(listener: (session: Session | null) => void): () => void {
    this.listeners.add(listener)
    return () => this.listeners.delete(listener)
  }
}
