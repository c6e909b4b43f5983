import { Matches, ValidateIf } from 'class-validator'
import type { HostCertificate } from '../identity/host-certificate.entity.js'
import { PageQuery } from '../platform/pages.js'

export class HostCertificateQuery extends PageQuery {}

export class RevocationRequest {
  /**
   * Why, for the colleagues.
   * @example the disk was stolen
   */
  @ValidateIf((request: RevocationRequest) => request.reason !== undefined)
  @Matches(/^[^\p{Cc}]{0,500}$/u)
  reason?: string
}

export class HostCertificateView {
  /** @example 5c0f3a9be1d24c0f8a7733b5f2a1c9d4 */
  serial!: string
  /**
   * SHA-256 of it.
   * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
   */
  fingerprint!: string
  /** @example 2026-01-31T12:00:00.000Z */
  notBefore!: string
  /** @example 2026-03-02T12:00:00.000Z */
  notAfter!: string
  /** @example 2026-02-01T12:00:00.000Z */
  revokedAt!: string | null
  /** @example the disk was stolen */
  revokedReason!: string | null
  /** @example 2026-01-31T12:05:00.000Z */
  createdAt!: string
}

export const viewHostCertificate = (row: HostCertificate): HostCertificateView => ({
  serial: row.serial,
  fingerprint: row.fingerprint,
  notBefore: row.notBefore.toISOString(),
  notAfter: row.notAfter.toISOString(),
  revokedAt: row.revokedAt?.toISOString() ?? null,
  revokedReason: row.revokedReason,
  createdAt: row.createdAt.toISOString(),
})
