import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { join } from 'node:path'
import { type CertificateGrant, ENGINE_NAME } from '../wire/enrolment.js'
import { writeFileAtomically } from './host/write-file.js'
import { StateDirectoryError } from './state-error.js'

/** Who this host is in the plane, and what proves it. The key never leaves the host. */
export interface HostIdentity {
  readonly hostId: string
  readonly name: string
  /** PKCS #8 in PEM. */
  readonly key: string
  /** PEM, as the authorities are. */
  readonly certificate: string
  readonly authorities: readonly string[]
  /** Where replicas listened when the host joined, `host:port`. */
  readonly engines: readonly string[]
  /** ISO 8601, by this host's clock. */
  readonly obtainedAt: string
}

const NOT_OURS = 'the certificate that came is not of the key that was made for it'

export const identityPath = (stateDir: string): string => join(stateDir, 'identity.json')

/** Null where the host has joined no plane. @throws StateDirectoryError */
export async function readIdentity(stateDir: string): Promise<HostIdentity | null> {
  const path = identityPath(stateDir)
  try {
    return requireWhole(JSON.parse(await readFile(path, 'utf8')) as Partial<HostIdentity>)
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null
    throw new StateDirectoryError(`${path} cannot be used: ${(error as Error).message}`, { cause: error })
  }
}

/** All in one file, in one step: a key without its certificate would be of no use. */
export function writeIdentity(stateDir: string, identity: HostIdentity): Promise<void> {
  return writeFileAtomically(identityPath(stateDir), `${JSON.stringify(identity, null, 2)}\n`)
}

/** The same host with another certificate. @throws Error when that is not of the key, or of another host */
export function withGrant(identity: HostIdentity, key: string, grant: CertificateGrant): HostIdentity {
  const [now, next] = [new X509Certificate(identity.certificate), new X509Certificate(grant.certificate)]
  if (!next.checkPrivateKey(createPrivateKey(key))) throw new Error(NOT_OURS)
  if (next.subjectAltName !== now.subjectAltName) throw new Error('the certificate that came is of another host')
  const authorities = grant.authorities.length > 0 ? grant.authorities : identity.authorities
  return { ...identity, key, certificate: grant.certificate, authorities, obtainedAt: new Date().toISOString() }
}

/** What the plane answered to the key's request. @throws Error when no trusted authority has signed it */
export function requireSigned(certificate: string, key: string, authorities: readonly string[]): void {
  const issued = new X509Certificate(certificate)
  if (!issued.checkPrivateKey(createPrivateKey(key))) throw new Error(NOT_OURS)
  const signed = authorities.some((pem) => {
    const authority = new X509Certificate(pem)
    return issued.checkIssued(authority) && issued.verify(authority.publicKey)
  })
  if (!signed) throw new Error('the certificate that came is signed by none of the authorities of the join token')
}

/** For a connection to an engine, and to nobody else who has a certificate of the same authority. */
export const credentialsOf = ({ key, certificate, authorities }: HostIdentity) => ({
  key,
  cert: certificate,
  ca: [...authorities],
  allowPartialTrustChain: true,
  servername: ENGINE_NAME,
  minVersion: 'TLSv1.3' as const,
})

/** Of the certificate. */
export function validityOf({ certificate }: HostIdentity): { readonly serial: string; readonly notAfter: Date } {
  const { serialNumber, validTo } = new X509Certificate(certificate)
  return { serial: serialNumber.toLowerCase().replace(/^0+/, ''), notAfter: new Date(validTo) }
}

function requireWhole(identity: Partial<HostIdentity>): HostIdentity {
  const { hostId, name, key, certificate, authorities, engines, obtainedAt } = identity
  const texts = [hostId, name, key, certificate, obtainedAt]
  const lists = [authorities, engines]
  if (!texts.every((text) => typeof text === 'string') || !lists.every((list) => Array.isArray(list))) {
    throw new Error('it is not whole: join the plane anew with `keelson agent join --force`')
  }
  return identity as HostIdentity
}
