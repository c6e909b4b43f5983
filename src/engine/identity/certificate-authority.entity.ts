import { Column, Entity, PrimaryColumn } from 'typeorm'

/** Whom the plane trusts to say who is a host and who is an engine. Several at once, while one replaces another. */
@Entity('certificate_authorities')
export class CertificateAuthority {
  /** SHA-256 of the certificate, lower-case hex. */
  @PrimaryColumn('text') fingerprint!: string
  @Column('text') certificate!: string
  /** Its key; null: it is outside, in a file of each replica. */
  @Column('text', { nullable: true }) sealedKey!: string | null
  @Column('timestamptz') notAfter!: Date
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) createdAt!: Date
}
