import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm'

/** Who a user is to an OIDC issuer: names may change there, the subject does not. */
@Entity('external_identities')
@Index('ix_external_identities_user_id', ['userId'])
export class ExternalIdentity {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_external_identities' }) issuer!: string
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_external_identities' }) subject!: string
  @Column('uuid')
  @ForeignKey('User', 'id', { name: 'fk_external_identities_user_id', onDelete: 'CASCADE' })
  userId!: string
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
