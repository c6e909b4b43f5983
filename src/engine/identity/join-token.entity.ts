import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm'

/** A join token as it is kept: what was shown once is known by its hash alone. */
@Entity('join_tokens')
@Index('ix_join_tokens_expires_at', ['expiresAt'])
export class JoinTokenRow {
  @PrimaryGeneratedColumn('uuid') id!: string
  /** SHA-256 of the secret, which is 32 random bytes. */
  @Column('bytea') secretHash!: Buffer
  /** The one host that it is good for; null: any. */
  @Column('text', { nullable: true }) name!: string | null
  @Column('integer') uses!: number
  @Column('integer', { default: 0 }) used!: number
  /** Enrols a host that is known anew. */
  @Column('boolean') replace!: boolean
  @Column('timestamptz') expiresAt!: Date
  @Column('timestamptz', { nullable: true }) lastUsedAt!: Date | null
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) createdAt!: Date
}
