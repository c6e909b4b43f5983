import 'reflect-metadata'
import { createPrivateKey, type KeyObject, X509Certificate } from 'node:crypto'
import * as x509 from '@peculiar/x509'
import { type FieldFault, Invalid } from '../../platform/errors.js'

/** A certificate that a listener can show, with what is told of it. */
export interface ReadCertificate {
  /** In PEM, without what else stood between. */
  readonly chainPem: string
  /** PKCS #8 in PEM. */
  readonly privateKeyPem: string
  /** SHA-256 of the first in hex. */
  readonly fingerprint: string
  readonly dnsNames: string[]
  readonly notAfter: Date
}

const BLOCK = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g
const MAX_CHAIN = 10
const MIN_RSA_BITS = 2048
const DNS_NAME = 'dns'

/**
 * Reads a chain and its key, and refuses what a device would choke on or no client would take: a key of another certificate, a chain
 * out of order, one that has expired, a weak key. Nothing of the key is in a fault.
 * @throws Invalid naming the field
 */
export function readCertificate(chainPem: string, privateKeyPem: string, now: Date): ReadCertificate {
  const chain = readChain(chainPem)
  const [own] = chain
  const key = readKey(privateKeyPem)
  if (!own.checkPrivateKey(key)) throw fault('privateKeyPem', 'is the key of another certificate')
  const notAfter = new Date(own.validTo)
  if (notAfter <= now) throw fault('chainPem', `expired at ${notAfter.toISOString()}`)
  const stale = chain.find(({ validTo }) => new Date(validTo) <= now)
  if (stale) throw fault('chainPem', `holds ${nameOf(stale)}, which has expired`)
  return {
    chainPem: chain.map((one) => one.toString()).join(''),
    privateKeyPem: key.export({ type: 'pkcs8', format: 'pem' }).toString(),
    fingerprint: own.fingerprint256.replaceAll(':', '').toLowerCase(),
    dnsNames: dnsNamesOf(own),
    notAfter,
  }
}

function readChain(pem: string): [X509Certificate, ...X509Certificate[]] {
  if (pem.includes('PRIVATE KEY')) throw fault('chainPem', 'holds a private key: that belongs into privateKeyPem')
  const [own, ...others] = (pem.match(BLOCK) ?? []).map(parse)
  if (!own) throw fault('chainPem', 'holds no certificate in PEM')
  if (others.length >= MAX_CHAIN) throw fault('chainPem', `holds more than ${MAX_CHAIN} certificates`)
  let signed = own
  for (const issuer of others) {
    if (!signed.checkIssued(issuer) || !signed.verify(issuer.publicKey))
      throw fault(
        'chainPem',
        `is out of order: ${nameOf(issuer)} has not signed ${nameOf(signed)}, which stands before it`,
      )
    signed = issuer
  }
  requireStrong(own.publicKey)
  return [own, ...others]
}

function parse(pem: string, index: number): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch {
    throw fault('chainPem', `cannot be read: certificate ${index + 1} is broken`)
  }
}

function readKey(pem: string): KeyObject {
  if (pem.includes('ENCRYPTED')) throw fault('privateKeyPem', 'is encrypted: give it without a passphrase')
  try {
    return createPrivateKey(pem)
  } catch {
    throw fault('privateKeyPem', 'is no private key in PEM')
  }
}

function requireStrong({ asymmetricKeyType, asymmetricKeyDetails }: KeyObject): void {
  if (asymmetricKeyType === 'ec') return
  const bits = asymmetricKeyDetails?.modulusLength ?? 0
  if (asymmetricKeyType !== 'rsa') throw fault('chainPem', `has a key of ${asymmetricKeyType}: RSA and EC are taken`)
  if (bits < MIN_RSA_BITS) throw fault('chainPem', `has an RSA key of ${bits} bits: at least ${MIN_RSA_BITS} are taken`)
}

function dnsNamesOf({ raw }: X509Certificate): string[] {
  const names = new x509.X509Certificate(raw).getExtension(x509.SubjectAlternativeNameExtension)?.names.items ?? []
  return names.filter(({ type }) => type === DNS_NAME).map(({ value }) => value.toLowerCase())
}

const nameOf = ({ subject }: X509Certificate): string => JSON.stringify(subject ?? '')

function fault(field: 'chainPem' | 'privateKeyPem', message: string): Invalid {
  const faults: FieldFault[] = [{ field, message: `${field} ${message}` }]
  return new Invalid(`the certificate cannot be shown: ${field} ${message}`, faults)
}
