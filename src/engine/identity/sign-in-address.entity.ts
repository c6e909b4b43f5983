import { Column, Entity, Index, PrimaryColumn } from 'typeorm'

/** From where signing in has failed lately; an IPv6 network of 64 bits is one address. */
@Entity('sign_in_addresses')
@Index('ix_sign_in_addresses_updated_at', ['updatedAt'])
export class SignInAddress {
  @PrimaryColumn('text', { primaryKeyConstraintName: 'pk_sign_in_addresses' }) address!: string
  /** Forgotten bit by bit. */
  @Column('double precision') failures!: number
  @Column('timestamptz', { nullable: true }) lockedUntil!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
