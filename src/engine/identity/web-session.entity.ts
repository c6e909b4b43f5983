import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/** A browser that has signed in; its cookie is known by its hash alone. */
@Entity('web_sessions')
@Index('ix_web_sessions_user_id', ['userId'])
@Index('ix_web_sessions_expires_at', ['expiresAt'])
@Index('ix_web_sessions_provider_id', ['providerId'])
export class WebSession {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('User', 'id', { name: 'fk_web_sessions_user_id', onDelete: 'CASCADE' })
  userId!: string
  @Column('bytea') secretHash!: Buffer
  @Column('text') address!: string
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  /** By idleness; each use moves it on, up to the end of its lifetime. */
  @Column('timestamptz') expiresAt!: Date
  /** Through which it was opened; null: by password. */
  @Column('uuid', { nullable: true })
  @ForeignKey('IdentityProvider', 'id', { name: 'fk_web_sessions_provider_id', onDelete: 'CASCADE' })
  providerId!: string | null
}
