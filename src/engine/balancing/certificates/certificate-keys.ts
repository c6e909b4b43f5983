import { certificateKeys, sealedPlace } from '../../platform/sealed-columns.js'
import type { Sealer } from '../../platform/sealing.js'
import type { Certificate } from '../certificate.entity.js'

export const sealKey = (sealer: Sealer, certificateId: string, keyPem: string): string =>
  sealer.seal(keyPem, sealedPlace(certificateKeys, [certificateId]))

/**
 * The keys of certificates in PEM, by id: what `balancing.apply` carries among its secrets.
 * @throws SealBroken
 */
export const openKeys = (
  sealer: Sealer,
  certificates: readonly Pick<Certificate, 'id' | 'sealedKey'>[],
): Record<string, string> =>
  Object.fromEntries(
    certificates.map(({ id, sealedKey }) => [id, sealer.openText(sealedKey, sealedPlace(certificateKeys, [id]))]),
  )
