import 'reflect-metadata'
import { X509Certificate as NodeCertificate, randomBytes, webcrypto } from 'node:crypto'
import {
  BasicConstraintsExtension,
  ExtendedKeyUsage,
  ExtendedKeyUsageExtension,
  type Extension,
  KeyUsageFlags,
  KeyUsagesExtension,
  PemConverter,
  type PublicKey,
  SubjectAlternativeNameExtension,
  SubjectKeyIdentifierExtension,
  X509Certificate,
  X509CertificateGenerator,
} from '@peculiar/x509'
import { ENGINE_NAME, hostUrn } from '../../wire/enrolment.js'

/** A private key and the certificate of its public one, in PEM. */
export interface CertifiedKey {
  readonly key: string
  readonly certificate: string
}

/** What a certificate says that the plane goes by. */
export interface CertificateFacts {
  /** Lower-case hex, without leading zeros. */
  readonly serial: string
  /** SHA-256, lower-case hex. */
  readonly fingerprint: string
  readonly notBefore: Date
  readonly notAfter: Date
}

/** An EC key that signs, with the certificate that others know it by. */
export interface Signer {
  readonly certificate: X509Certificate
  readonly key: CryptoKey
  readonly curve: Curve
}

type CryptoKey = webcrypto.CryptoKey
export type Curve = 'P-256' | 'P-384'

const DAY_MS = 86_400_000
const AUTHORITY_LIFE_MS = 3_652 * DAY_MS
/** Clocks of hosts differ from ours. */
const BACKDATED_MS = 300_000
const hashes: Record<Curve, string> = { 'P-256': 'SHA-256', 'P-384': 'SHA-384' }

const ecdsa = (curve: Curve) => ({ name: 'ECDSA', namedCurve: curve, hash: hashes[curve] })

/** Positive, and of one length in hex. */
function newSerial(): string {
  const bytes = randomBytes(16)
  bytes[0] = (bytes[0]! & 0x3f) | 0x40
  return bytes.toString('hex')
}

/** A certificate authority of our own: it signs certificates of hosts and replicas, and no other authority's. */
export async function makeAuthority(now = Date.now()): Promise<CertifiedKey> {
  const keys = await newKeys()
  const certificate = await X509CertificateGenerator.createSelfSigned({
    serialNumber: newSerial(),
    name: `CN=Keelson certificate authority ${randomBytes(4).toString('hex')}`,
    notBefore: new Date(now - BACKDATED_MS),
    notAfter: new Date(now + AUTHORITY_LIFE_MS),
    signingAlgorithm: ecdsa('P-256'),
    keys,
    extensions: [
      new BasicConstraintsExtension(true, 0, true),
      new KeyUsagesExtension(KeyUsageFlags.keyCertSign | KeyUsageFlags.cRLSign, true),
      await SubjectKeyIdentifierExtension.create(keys.publicKey),
    ],
  })
  return { key: await keyPem(keys.privateKey), certificate: certificate.toString('pem') }
}

/** @param key PKCS #8 of an EC key of that curve */
export async function signerOf({ key, certificate }: CertifiedKey, curve: Curve = 'P-256'): Promise<Signer> {
  const [der] = PemConverter.decode(key)
  if (!der) throw new Error('the key of the certificate authority is no PEM')
  const imported = await webcrypto.subtle.importKey('pkcs8', der, ecdsa(curve), false, ['sign'])
  return { certificate: new X509Certificate(certificate), key: imported, curve }
}

/** Good for a client alone: no agent takes its holder for an engine. */
export function signHost(
  signer: Signer,
  { hostId, publicKey, lifeMs }: { hostId: string; publicKey: PublicKey; lifeMs: number },
): Promise<string> {
  return sign(signer, `CN=${hostId}`, publicKey, lifeMs, [
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.clientAuth], true),
    new SubjectAlternativeNameExtension([{ type: 'url', value: hostUrn(hostId) }]),
  ])
}

/** Good for a server alone: the transport takes its holder for no host. @param names host names and addresses */
export async function makeEngineCertificate(
  signer: Signer,
  { names, lifeMs }: { names: readonly string[]; lifeMs: number },
): Promise<CertifiedKey> {
  const keys = await newKeys()
  const certificate = await sign(signer, `CN=${ENGINE_NAME}`, keys.publicKey, lifeMs, [
    new ExtendedKeyUsageExtension([ExtendedKeyUsage.serverAuth], true),
    new SubjectAlternativeNameExtension(
      [...new Set([ENGINE_NAME, ...names])].map((value) => ({ type: isAddress(value) ? 'ip' : 'dns', value }) as const),
    ),
  ])
  return { key: await keyPem(keys.privateKey), certificate }
}

export function factsOf(pem: string): CertificateFacts {
  const certificate = new NodeCertificate(pem)
  return {
    serial: serialOf(certificate.serialNumber),
    fingerprint: fingerprintOf(certificate),
    notBefore: new Date(certificate.validFrom),
    notAfter: new Date(certificate.validTo),
  }
}

export const serialOf = (text: string): string => text.toLowerCase().replace(/^0+/, '')

export const fingerprintOf = (certificate: NodeCertificate): string =>
  certificate.fingerprint256.replaceAll(':', '').toLowerCase()

async function sign(
  { certificate: issuer, key, curve }: Signer,
  subject: string,
  publicKey: PublicKey | CryptoKey,
  lifeMs: number,
  extensions: Extension[],
): Promise<string> {
  const now = Date.now()
  const certificate = await X509CertificateGenerator.create({
    serialNumber: newSerial(),
    subject,
    issuer: issuer.subjectName,
    notBefore: new Date(now - BACKDATED_MS),
    // what outlives its authority is good for nothing
    notAfter: new Date(Math.min(now + lifeMs, issuer.notAfter.getTime())),
    signingAlgorithm: ecdsa(curve),
    signingKey: key,
    publicKey,
    extensions: [
      new BasicConstraintsExtension(false, undefined, true),
      new KeyUsagesExtension(KeyUsageFlags.digitalSignature, true),
      ...extensions,
    ],
  })
  return certificate.toString('pem')
}

const newKeys = () => webcrypto.subtle.generateKey(ecdsa('P-256'), true, ['sign', 'verify'])

async function keyPem(key: CryptoKey): Promise<string> {
  return PemConverter.encode(await webcrypto.subtle.exportKey('pkcs8', key), 'PRIVATE KEY')
}

const isAddress = (name: string): boolean => name.includes(':') || /^\d+(\.\d+){3}$/.test(name)
