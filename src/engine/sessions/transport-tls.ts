import type { TlsOptions } from 'node:tls'
import type { EngineCertificate } from '../identity/engine-certificate.js'
import type { TicketKeys } from '../identity/ticket-keys.js'
import type { SessionServer } from './session-server.js'

/** As long as TLS 1.3 allows: the agents' sessions live for days, and only then come back. */
const TICKET_SECONDS = 7 * 86_400
/** The same on every replica, or none would resume what another has begun. */
const CONTEXT = 'keelson transport'

/** How the transport speaks TLS: 1.3 alone, with a host's certificate on the other side or not at all. */
export function transportTls(certificate: EngineCertificate, ticketKeys: TicketKeys): TlsOptions {
  const { key, chain, authorities } = certificate.credentials
  return {
    key,
    cert: chain,
    ca: [...authorities],
    allowPartialTrustChain: true,
    minVersion: 'TLSv1.3',
    requestCert: true,
    rejectUnauthorized: true,
    sessionIdContext: CONTEXT,
    sessionTimeout: TICKET_SECONDS,
    ticketKeys: ticketKeys.current,
  }
}

/** New certificates, authorities and ticket keys count for connections from then on. */
export function keepCurrent(server: SessionServer, certificate: EngineCertificate, ticketKeys: TicketKeys): void {
  const apply = () => server.secureWith(transportTls(certificate, ticketKeys))
  certificate.onChange(apply)
  ticketKeys.onChange(apply)
  // something may have changed since the server was made
  apply()
}
