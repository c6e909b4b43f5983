import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm'

/** A certificate that was issued to a host. What is not here, or was revoked, opens no session. */
@Entity('host_certificates')
@Index('ix_host_certificates_host_id', ['hostId'])
export class HostCertificate {
  /** Lower-case hex. */
  @PrimaryColumn('text') serial!: string
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_host_certificates_host_id', onDelete: 'CASCADE' })
  hostId!: string
  /** SHA-256, lower-case hex. */
  @Column('text') fingerprint!: string
  @Column('timestamptz') notBefore!: Date
  @Column('timestamptz') notAfter!: Date
  @Column('timestamptz', { nullable: true }) revokedAt!: Date | null
  @Column('text', { nullable: true }) revokedReason!: string | null
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) createdAt!: Date
}
