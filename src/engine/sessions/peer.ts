import type { Socket } from 'node:net'
import type { TLSSocket } from 'node:tls'
import { hostIdIn } from '../../wire/enrolment.js'
import { fingerprintOf, serialOf } from '../identity/certificates.js'

/** Whom a connection's certificate names. A resumed connection has the certificate of the one that it resumes. */
export interface Peer {
  readonly hostId: string
  readonly serial: string
  readonly fingerprint: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/** Null: its certificate, however well signed, is no host's. */
export function peerOf(socket: Socket): Peer | null {
  // the transport accepts nothing else
  const certificate = (socket as TLSSocket).getPeerX509Certificate?.()
  const hostId = hostIdIn(certificate?.subjectAltName)
  if (!certificate || hostId === null) return null
  return {
    hostId,
    serial: serialOf(certificate.serialNumber),
    fingerprint: fingerprintOf(certificate),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
  }
}
