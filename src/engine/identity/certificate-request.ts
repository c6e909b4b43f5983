import 'reflect-metadata'
import { Pkcs10CertificateRequest, type PublicKey } from '@peculiar/x509'
import { MAX_REQUEST_CHARS } from '../../wire/enrolment.js'
import { Invalid } from '../platform/errors.js'

const curves: readonly unknown[] = ['P-256', 'P-384']

/**
 * The key that a host asks to have certified. All else in its request is not looked at: what stands in the certificate is
 * the plane's to say.
 * @throws Invalid when the request is none, its key is of another kind, or it was not signed with that key
 */
export async function keyToCertify(pem: string): Promise<PublicKey> {
  const request = read(pem)
  const { name, namedCurve } = request.publicKey.algorithm as { name: string; namedCurve?: string }
  if (name !== 'Ed25519' && !(name === 'ECDSA' && curves.includes(namedCurve))) {
    throw refused('its key is neither EC (P-256, P-384) nor Ed25519')
  }
  if (!(await verifies(request))) throw refused('it is not signed with its own key')
  return request.publicKey
}

function read(pem: string): Pkcs10CertificateRequest {
  if (pem.length > MAX_REQUEST_CHARS) throw refused('it is too long')
  if (!/^\s*-----BEGIN (NEW )?CERTIFICATE REQUEST-----/.test(pem)) throw refused('it is no PKCS #10 in PEM')
  try {
    return new Pkcs10CertificateRequest(pem)
  } catch {
    throw refused('it cannot be read')
  }
}

async function verifies(request: Pkcs10CertificateRequest): Promise<boolean> {
  try {
    return await request.verify()
  } catch {
    return false
  }
}

const refused = (fact: string): Invalid =>
  new Invalid(`the certificate request is refused: ${fact}`, [{ field: 'csr', message: fact }], 'csr-refused')
