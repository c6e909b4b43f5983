import 'reflect-metadata'
import { IsInt, IsString, MaxLength, Min } from 'class-validator'

/** What each replica's certificate is for, whatever addresses it has: agents ask for this name alone. */
export const ENGINE_NAME = 'engine.keelson'

/** Longest certificate request, in characters of PEM. */
export const MAX_REQUEST_CHARS = 8_192

const HOST_URN = 'urn:keelson:host:'

/** The one subject alternative name of a host's certificate. */
export const hostUrn = (hostId: string): string => `${HOST_URN}${hostId}`

/** The host that a certificate is of, by its subject alternative names as Node spells them; null: of none. */
export function hostIdIn(subjectAltName: string | undefined): string | null {
  const [, hostId] =
    /^URI:urn:keelson:host:([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})$/.exec(subjectAltName ?? '') ?? []
  return hostId ?? null
}

/** Asks over a session for the next certificate of the same host; the key never leaves it. */
export class CertificateRequest {
  @IsInt() @Min(1) epoch!: number
  /** PKCS #10 in PEM, signed with the new key. */
  @IsString() @MaxLength(MAX_REQUEST_CHARS) csr!: string
}

/** All in PEM. */
export interface CertificateGrant {
  readonly certificate: string
  /** Every certificate authority that the plane trusts, the one that signs first. */
  readonly authorities: readonly string[]
}

/** The answer to an enrolment. */
export interface Enrolled extends CertificateGrant {
  readonly hostId: string
  readonly name: string
  /** Where replicas listen for hosts, `host:port`. */
  readonly engines: readonly string[]
}
