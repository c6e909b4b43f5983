import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { Role } from '../platform/caller.js'

/** A token as it is kept: what was shown once is known by its hash alone. */
@Entity('api_tokens')
@Index('ix_api_tokens_user_id', ['userId'])
export class ApiToken {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('User', 'id', { name: 'fk_api_tokens_user_id', onDelete: 'CASCADE' })
  userId!: string
  @Column('text') name!: string
  /** SHA-256 of the secret, which is 32 random bytes. */
  @Column('bytea') secretHash!: Buffer
  /** The most that it may do, whatever its user may; null: as the user. */
  @Column('text', { nullable: true }) role!: Role | null
  /** The one project that it is good for; null: as the user. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Project', 'id', { name: 'fk_api_tokens_project_id', onDelete: 'CASCADE' })
  projectId!: string | null
  @Column('boolean', { default: false }) unlimited!: boolean
  /** Null: never. */
  @Column('timestamptz', { nullable: true }) expiresAt!: Date | null
  @Column('timestamptz', { nullable: true }) lastUsedAt!: Date | null
  @Column('timestamptz', { nullable: true }) revokedAt!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
