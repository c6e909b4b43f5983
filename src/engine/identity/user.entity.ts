import { Column, Entity, PrimaryGeneratedColumn, Unique } from 'typeorm'

export const userKinds = ['person', 'service'] as const
export type UserKind = (typeof userKinds)[number]

/** Somebody who may call: a person, by password or through an OIDC provider, or a service, by API tokens alone. */
@Entity('users')
@Unique('uq_users_name', ['name'])
export class User {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') kind!: UserKind
  @Column('text') name!: string
  @Column('text', { default: '' }) displayName!: string
  @Column('text', { nullable: true }) email!: string | null
  /** As argon2id spells it; null: no password opens this account. */
  @Column('text', { nullable: true }) passwordHash!: string | null
  @Column('boolean', { default: false }) mustChangePassword!: boolean
  @Column('boolean', { default: false }) disabled!: boolean
  @Column('integer', { default: 0 }) failedLogins!: number
  @Column('timestamptz', { nullable: true }) lockedUntil!: Date | null
  @Column('timestamptz', { nullable: true }) lastLoginAt!: Date | null
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
