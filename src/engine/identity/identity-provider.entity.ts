import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { Role } from '../platform/caller.js'

/** What members of a group may, in a project or in the whole plane. */
export interface GroupRole {
  readonly group: string
  readonly role: Role
  /** Null: the whole plane. */
  readonly projectId: string | null
}

/** An OIDC issuer whose users may sign in. */
@Entity('identity_providers')
@Unique('uq_identity_providers_name', ['name'])
export class IdentityProvider {
  @PrimaryGeneratedColumn('uuid') id!: string
  /** Part of the address that the issuer sends people back to. */
  @Column('text') name!: string
  @Column('text', { default: '' }) displayName!: string
  @Column('text') issuer!: string
  @Column('text') clientId!: string
  /** Null: a public client. */
  @Column('text', { nullable: true }) sealedClientSecret!: string | null
  /** This plane as browsers reach it; null: as their request says. */
  @Column('text', { nullable: true }) publicUrl!: string | null
  @Column('jsonb') scopes!: readonly string[]
  @Column('text') nameClaim!: string
  @Column('text') groupsClaim!: string
  @Column('jsonb') groupRoles!: readonly GroupRole[]
  @Column('boolean', { default: true }) enabled!: boolean
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
