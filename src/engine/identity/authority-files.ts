import { createPrivateKey, X509Certificate } from 'node:crypto'
import { readFile } from 'node:fs/promises'
import { ExitError, exitCodes } from '../../config/exit.js'
import { type CertifiedKey, type Curve, fingerprintOf, type Signer, signerOf } from './certificates.js'

export interface AuthorityFileSources {
  readonly caCertFile: string | null
  readonly caKeyFile: string | null
}

/** An outside certificate authority: the first certificate of the file signs, the others are trusted beside it. */
export interface FileAuthority {
  readonly signer: Signer
  /** PEM, each with its fingerprint and end. */
  readonly trusted: readonly { readonly certificate: string; readonly fingerprint: string; readonly notAfter: Date }[]
}

const curves: Readonly<Record<string, Curve>> = { prime256v1: 'P-256', secp384r1: 'P-384' }
const PEM = /-----BEGIN CERTIFICATE-----[\s\S]+?-----END CERTIFICATE-----/g

/** Null where none is given. @throws ExitError when the files are not what they should be */
export async function readAuthorityFiles(sources: AuthorityFileSources): Promise<FileAuthority | null> {
  const { caCertFile, caKeyFile } = sources
  if (caCertFile === null && caKeyFile === null) return null
  if (caCertFile === null || caKeyFile === null) {
    throw wrong('caCertFile and caKeyFile (KEELSON_CA_CERT_FILE, KEELSON_CA_KEY_FILE) go together')
  }
  const trusted = certificatesIn(await read(caCertFile), caCertFile)
  const [first] = trusted
  if (!first) throw wrong(`${caCertFile} holds no certificate`)
  return { signer: await signerIn(first.certificate, await read(caKeyFile), sources), trusted }
}

function certificatesIn(text: string, path: string): FileAuthority['trusted'] {
  return (text.match(PEM) ?? []).map((pem) => {
    const certificate = parse(pem, path)
    if (!certificate.ca) throw wrong(`${path}: ${certificate.subject} is no certificate authority`)
    const notAfter = new Date(certificate.validTo)
    if (notAfter.getTime() <= Date.now()) throw wrong(`${path}: ${certificate.subject} has expired`)
    return { certificate: certificate.toString(), fingerprint: fingerprintOf(certificate), notAfter }
  })
}

async function signerIn(
  certificate: string,
  key: string,
  { caCertFile, caKeyFile }: AuthorityFileSources,
): Promise<Signer> {
  let certified: CertifiedKey
  let curve: Curve | undefined
  try {
    const privateKey = createPrivateKey(key)
    curve = curves[privateKey.asymmetricKeyDetails?.namedCurve ?? '']
    certified = { certificate, key: privateKey.export({ type: 'pkcs8', format: 'pem' }).toString() }
    if (!new X509Certificate(certificate).checkPrivateKey(privateKey)) throw new Error('it is not of this key')
  } catch (cause) {
    throw wrong(`${caKeyFile} is no key for ${caCertFile}: ${(cause as Error).message}`, cause)
  }
  if (!curve) throw wrong(`${caKeyFile}: a certificate authority's key is EC, on P-256 or P-384`)
  return signerOf(certified, curve)
}

function parse(pem: string, path: string): X509Certificate {
  try {
    return new X509Certificate(pem)
  } catch (cause) {
    throw wrong(`${path} holds a certificate that cannot be read: ${(cause as Error).message}`, cause)
  }
}

async function read(path: string): Promise<string> {
  try {
    return await readFile(path, 'utf8')
  } catch (cause) {
    throw wrong(`${path} cannot be read: ${(cause as Error).message}`, cause)
  }
}

const wrong = (message: string, cause?: unknown): ExitError =>
  new ExitError(exitCodes.configuration, message, { cause })
