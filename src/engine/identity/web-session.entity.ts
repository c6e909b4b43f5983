import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/** A browser that has signed in; its cookie is known by its hash alone. */
@Entity('web_sessions')
@Index('ix_web_sessions_user_id', ['userId'])
@Index('ix_web_sessions_expires_at', ['expiresAt'])
export class WebSession {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('User', 'id', { name: 'fk_web_sessions_user_id', onDelete: 'CASCADE' })
  userId!: string
  @Column('bytea') secretHash!: Buffer
  @Column('text') address!: string
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz') expiresAt!: Date
}
