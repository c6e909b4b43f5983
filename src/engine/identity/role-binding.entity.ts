import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { Role } from '../platform/caller.js'

/** A user's role in a project, or in the whole plane. */
@Entity('role_bindings')
@Index('uq_role_bindings_user_id_project_id', ['userId', 'projectId'], { unique: true })
@Index('ix_role_bindings_project_id', ['projectId'])
@Index('ix_role_bindings_provider_id', ['providerId'])
export class RoleBinding {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('User', 'id', { name: 'fk_role_bindings_user_id', onDelete: 'CASCADE' })
  userId!: string
  /** Null: the whole plane. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Project', 'id', { name: 'fk_role_bindings_project_id', onDelete: 'CASCADE' })
  projectId!: string | null
  @Column('text') role!: Role
  /** Whose groups gave it, and may take it away at the next sign-in; null: given here. */
  @Column('uuid', { nullable: true })
  @ForeignKey('IdentityProvider', 'id', { name: 'fk_role_bindings_provider_id', onDelete: 'CASCADE' })
  providerId!: string | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
