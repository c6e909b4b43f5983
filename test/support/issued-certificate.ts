import 'reflect-metadata'
import { webcrypto } from 'node:crypto'
import * as x509 from '@peculiar/x509'

export interface IssuedCertificate {
  readonly certPem: string
  readonly privateKeyPem: string
  readonly notAfter: Date
  readonly subject: string
  readonly keys: CryptoKeyPair
}

type Kind = 'EC' | 'RSA' | 'weak RSA'

const hash = 'SHA-256'
const rsa = (modulusLength: number) => ({
  name: 'RSASSA-PKCS1-v1_5',
  hash,
  modulusLength,
  publicExponent: new Uint8Array([1, 0, 1]),
})
const algorithms: Readonly<Record<Kind, EcKeyGenParams | RsaHashedKeyGenParams>> = {
  EC: { name: 'ECDSA', namedCurve: 'P-256' },
  RSA: rsa(2048),
  'weak RSA': rsa(1024),
}

/** A certificate with its key for these names, made for a test: by itself, or by another one. */
export async function issueCertificate({
  names,
  issuer,
  kind = 'EC',
  notAfter = new Date('2099-01-01T00:00:00Z'),
}: {
  readonly names: readonly string[]
  readonly issuer?: IssuedCertificate
  readonly kind?: Kind
  readonly notAfter?: Date
}): Promise<IssuedCertificate> {
  const crypto = webcrypto as Crypto
  const keys = (await crypto.subtle.generateKey(algorithms[kind], true, ['sign', 'verify'])) as CryptoKeyPair
  const subject = `CN=${names[0]}`
  const signing = issuer?.keys ?? keys
  const made = await x509.X509CertificateGenerator.create(
    {
      subject,
      issuer: issuer?.subject ?? subject,
      notBefore: new Date('2026-01-01T00:00:00Z'),
      notAfter,
      publicKey: keys.publicKey,
      signingKey: signing.privateKey,
      signingAlgorithm: { name: signing.privateKey.algorithm.name, hash },
      extensions: [
        new x509.BasicConstraintsExtension(true, undefined, true),
        new x509.SubjectAlternativeNameExtension(names.map((value) => ({ type: 'dns' as const, value }))),
      ],
    },
    crypto,
  )
  const key = await crypto.subtle.exportKey('pkcs8', keys.privateKey)
  const privateKeyPem = x509.PemConverter.encode(key, 'PRIVATE KEY')
  return { certPem: made.toString('pem'), privateKeyPem, notAfter, subject, keys }
}
