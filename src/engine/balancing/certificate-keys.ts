import { Injectable } from '@nestjs/common'
import { prepared, type Tx } from '../platform/database.js'
import { Invalid } from '../platform/errors.js'
import { certificateKeys, sealedPlace } from '../platform/sealed-columns.js'
import { Sealer } from '../platform/sealing.js'
import type { Certificate } from './certificate.entity.js'
import { certificatesOf } from './intent.js'
import type { Listener } from './listener.entity.js'
import type { Tree } from './tree.js'

export interface NamedCertificates {
  readonly certificates: readonly Pick<Certificate, 'id' | 'chainPem'>[]
  /** Private keys in PEM, by the id of the certificate: for the secrets of a command and nothing else. */
  readonly keys: Readonly<Record<string, string>>
}

type CertificateRow = Pick<Certificate, 'id' | 'chainPem' | 'sealedKey'>

/** The certificates that the listeners of a balancer name, with their keys. */
@Injectable()
export class CertificateKeys {
  constructor(private readonly sealer: Sealer) {}

  /**
   * They stay as they are until the transaction ends: whoever renews one meanwhile finds the balancer that shows it.
   * @throws Invalid for one that its project does not have
   */
  async ofTree(tx: Tx, { loadBalancer, listeners }: Tree): Promise<NamedCertificates> {
    const ids = [...new Set(listeners.flatMap(certificatesOf))]
    if (ids.length === 0) return { certificates: [], keys: {} }
    const rows = await prepared<CertificateRow>(
      tx,
      'balancing_certificates',
      `SELECT id, chain_pem AS "chainPem", sealed_key AS "sealedKey" FROM certificates
       WHERE id = ANY($1::uuid[]) AND project_id = $2 ORDER BY id FOR SHARE`,
      [ids, loadBalancer.projectId],
    )
    requireAll(listeners, new Set(rows.map(({ id }) => id)))
    const keys = rows.map(({ id, sealedKey }) => [
      id,
      this.sealer.openText(sealedKey, sealedPlace(certificateKeys, [id])),
    ])
    return { certificates: rows.map(({ id, chainPem }) => ({ id, chainPem })), keys: Object.fromEntries(keys) }
  }
}

function requireAll(listeners: readonly Listener[], known: ReadonlySet<string>): void {
  const faults = listeners.flatMap(({ defaultCertificateId, sniCertificateIds }) => [
    ...(defaultCertificateId && !known.has(defaultCertificateId)
      ? [{ field: 'defaultCertificateId', message: `there is no certificate ${defaultCertificateId}` }]
      : []),
    ...sniCertificateIds
      .filter((id) => !known.has(id))
      .map((id) => ({ field: 'sniCertificateIds', message: `there is no certificate ${id}` })),
  ])
  if (faults.length > 0) throw new Invalid('a listener names a certificate that the project does not have', faults)
}
