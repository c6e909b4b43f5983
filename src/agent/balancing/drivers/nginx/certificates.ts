import { createHash, X509Certificate } from 'node:crypto'
import type { CertificateIntent } from '../../../../wire/balancing/intent.js'
import { invalid } from './text.js'

/** A certificate as nginx is told of it. */
export interface ServedCertificate {
  /** Lower case, the names that it is for; empty where it has none that a client can ask for. */
  readonly names: readonly string[]
  /** The beginning of its files' names, which changes with what is in them: old workers go on with theirs. */
  readonly file: string
}

const HOST_NAME = /^(\*\.)?[a-z0-9-]+(\.[a-z0-9-]+)*$/

/** @throws FaultError when it is none, or has no key */
export function servedCertificate({ id, chainPem }: CertificateIntent, key: string | undefined): ServedCertificate {
  if (key === undefined) throw invalid(`certificate ${id} came without its key`)
  const digest = createHash('sha256').update(chainPem).update('\0').update(key).digest('hex').slice(0, 24)
  return { names: namesOf(id, chainPem), file: `${id}.${digest}` }
}

function namesOf(id: string, chainPem: string): string[] {
  let certificate: X509Certificate
  try {
    certificate = new X509Certificate(chainPem)
  } catch (error) {
    throw invalid(`certificate ${id} cannot be read: ${(error as Error).message}`)
  }
  const alternatives = (certificate.subjectAltName ?? '').split(', ').filter((name) => name.startsWith('DNS:'))
  const common = /^CN=(.+)$/m.exec(certificate.subject ?? '')?.[1]
  // a common name counts only where there are no others (RFC 6125, 6.4.4)
  const names = alternatives.length > 0 ? alternatives.map((name) => name.slice('DNS:'.length)) : common ? [common] : []
  return [...new Set(names.map((name) => name.toLowerCase()).filter((name) => HOST_NAME.test(name)))]
}
