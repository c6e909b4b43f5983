import { createSecureContext } from 'node:tls'
import type { DialCredentials } from './engine-connection.js'
import { credentialsOf, type HostIdentity } from './identity.js'

/**
 * What connections are made with: the key and the certificates, parsed once, and the session that the next one resumes.
 * Nothing of it outlives its certificate: a session is resumed with the one that it was begun with, and no other.
 */
export class KeptCredentials {
  private certificate: string | null = null
  private tls: DialCredentials['tls'] = {}
  private ticket: Buffer | null = null

  constructor(private readonly identity: () => HostIdentity) {}

  /** For one connection. */
  next(): DialCredentials {
    const identity = this.identity()
    const { certificate } = identity
    if (certificate !== this.certificate) {
      const { servername, ...context } = credentialsOf(identity)
      this.tls = { servername, secureContext: createSecureContext(context) }
      this.certificate = certificate
      this.ticket = null
    }
    return {
      tls: this.tls,
      ticket: this.ticket,
      onTicket: (session) => {
        if (certificate === this.certificate) this.ticket = session
      },
    }
  }
}
