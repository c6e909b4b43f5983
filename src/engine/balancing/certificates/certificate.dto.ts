import { ApiProperty } from '@nestjs/swagger'
import { IsString, IsUUID, Length, Matches, ValidateIf } from 'class-validator'
import { Filter, PageQuery } from '../../platform/pages.js'
import type { Certificate } from '../certificate.entity.js'

const NAME = /^[^\p{Cc}]{1,128}$/u
const MAX_PEM = 65_536

/** All of it: a renewal says the chain and the key. */
export class CertificatePut {
  /**
   * Unique in its project.
   * @example shop.example
   */
  @Matches(NAME, { message: '$property must have 1 to 128 characters, none of them a control character' })
  name!: string

  /**
   * PEM: its own first, then each that has signed the one before.
   * @example "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n"
   */
  @IsString()
  @Length(1, MAX_PEM)
  chainPem!: string

  /**
   * PEM, not encrypted: RSA of at least 2048 bits, or EC. It is sealed, sent to hosts and never shown.
   * @example "-----BEGIN PRIVATE KEY-----\nMIGH…\n-----END PRIVATE KEY-----\n"
   */
  @ApiProperty({ writeOnly: true })
  @IsString()
  @Length(1, MAX_PEM)
  privateKeyPem!: string
}

export class CertificateCreate extends CertificatePut {
  /**
   * The project that it is to belong to, for good. Left out: the default project if the caller is an operator there, or the only
   * one in which they are; 422 if there are several.
   * @example 00000000-0000-4000-8000-00000000d0d0
   */
  @ValidateIf((certificate: CertificateCreate) => certificate.projectId !== undefined)
  @IsUUID()
  projectId?: string
}

export class CertificateQuery extends PageQuery {
  @Filter({ format: 'uuid', description: 'Certificates of these projects.' }) projectId?: string[]
  @Filter({ description: 'Certificates of these names.' }) name?: string[]
}

export class CertificateView {
  /** @example 7b7f3c8e-6f43-4a2e-9d0f-0c0e5a1f9f77 */
  id!: string
  /** @example 00000000-0000-4000-8000-00000000d0d0 */
  projectId!: string
  /** @example shop.example */
  name!: string
  /** @example "-----BEGIN CERTIFICATE-----\nMIIB…\n-----END CERTIFICATE-----\n" */
  chainPem!: string
  /**
   * SHA-256 of its own certificate in hex.
   * @example 9f86d081884c7d659a2feaa0c55ad015a3bf4f1b2b0b822cd15d6c15b0f00a08
   */
  fingerprint!: string
  /**
   * The names that it is for: by these a listener with several chooses.
   * @example ["shop.example"]
   */
  dnsNames!: string[]
  /** @example 2027-01-31T12:00:00.000Z */
  notAfter!: string
  /**
   * Raised by each renewal: what the ETag shows.
   * @example 1
   */
  generation!: number
  /** @example 2026-01-31T12:00:00.000Z */
  createdAt!: string
  /** @example 2026-01-31T12:00:00.000Z */
  updatedAt!: string
}

export const viewCertificate = (certificate: Certificate): CertificateView => ({
  id: certificate.id,
  projectId: certificate.projectId,
  name: certificate.name,
  chainPem: certificate.chainPem,
  fingerprint: certificate.fingerprint,
  dnsNames: certificate.dnsNames,
  notAfter: certificate.notAfter.toISOString(),
  generation: certificate.generation,
  createdAt: certificate.createdAt.toISOString(),
  updatedAt: certificate.updatedAt.toISOString(),
})
