import { generateKeyPairSync, randomUUID } from 'node:crypto'
import { PublicKey } from '@peculiar/x509'
import type { HostIdentity } from '../../src/agent/identity.js'
import { type CertifiedKey, factsOf, signerOf, signHost } from '../../src/engine/identity/certificates.js'
import type { BenchDatabase } from '../database.js'

const LIFE_MS = 30 * 86_400_000

/** What the plane records of a host that has joined. */
export interface Member {
  readonly hostId: string
  readonly name: string
  readonly serial: string
  readonly fingerprint: string
  readonly notBefore: string
  readonly notAfter: string
}

/** Keys and certificates as enrolment makes them, signed here by the authority whose key the engine was given as a file. */
export async function certify(
  authority: CertifiedKey,
  names: readonly string[],
): Promise<{ identities: HostIdentity[]; members: Member[] }> {
  const signer = await signerOf(authority)
  const identities: HostIdentity[] = []
  const members: Member[] = []
  for (const name of names) {
    const hostId = randomUUID()
    const pair = generateKeyPairSync('ec', { namedCurve: 'P-256' })
    const publicKey = new PublicKey(pair.publicKey.export({ type: 'spki', format: 'der' }))
    const certificate = await signHost(signer, { hostId, publicKey, lifeMs: LIFE_MS })
    const key = pair.privateKey.export({ type: 'pkcs8', format: 'pem' }).toString()
    const { serial, fingerprint, notBefore, notAfter } = factsOf(certificate)
    const obtainedAt = new Date().toISOString()
    identities.push({ hostId, name, key, certificate, authorities: [authority.certificate], engines: [], obtainedAt })
    const [from, to] = [notBefore.toISOString(), notAfter.toISOString()]
    members.push({ hostId, name, serial, fingerprint, notBefore: from, notAfter: to })
  }
  return { identities, members }
}

/** The rows that enrolment would have written, but for its events. */
export async function record(database: BenchDatabase, members: readonly Member[]): Promise<void> {
  await database.rows(
    `WITH m AS (SELECT * FROM jsonb_to_recordset($1::jsonb)
                  AS m("hostId" uuid, name text, serial text, fingerprint text, "notBefore" timestamptz, "notAfter" timestamptz)),
          h AS (INSERT INTO hosts (id, name) SELECT "hostId", name FROM m RETURNING id),
          s AS (INSERT INTO host_sequences (host_id) SELECT id FROM h)
     INSERT INTO host_certificates (serial, host_id, fingerprint, not_before, not_after)
     SELECT serial, "hostId", fingerprint, "notBefore", "notAfter" FROM m`,
    [JSON.stringify(members)],
  )
}
