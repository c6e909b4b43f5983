import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/** What TERMINATED_HTTPS listeners show. Renewed in place: its listeners go on with the new one. */
@Entity('certificates')
@Index('uq_certificates_project_id_name', ['projectId', 'name'], { unique: true })
export class Certificate {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_certificates_project_id' })
  projectId!: string
  @Column('text') name!: string
  /** PEM: its own first, then those that lead to the root. */
  @Column('text') chainPem!: string
  @Column('text') sealedKey!: string
  /** SHA-256 of it in hex. */
  @Column('text') fingerprint!: string
  @Column('text', { array: true }) dnsNames!: string[]
  @Column('timestamptz') notAfter!: Date
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
