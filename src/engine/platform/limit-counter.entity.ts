import { Column, Entity, Index, PrimaryColumn } from 'typeorm'

/** Attempts of one subject that count against a shared limit; rows that have expired mean nothing. */
@Entity('limit_counters')
@Index('ix_limit_counters_expires_at', ['expiresAt'])
export class LimitCounter {
  @PrimaryColumn('text') key!: string
  /** In the window in hand, since the last lockout. */
  @Column('integer') attempts!: number
  @Column('integer', { default: 0 }) lockouts!: number
  @Column('timestamptz', { default: () => `'1970-01-01 00:00:00+00'` }) lockedUntil!: Date
  @Column('timestamptz') windowEndsAt!: Date
  @Column('timestamptz') expiresAt!: Date
}
