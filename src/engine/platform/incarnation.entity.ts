import { Column, Entity, Generated, PrimaryGeneratedColumn } from 'typeorm'

/** One life of the database. A restore that hosts prove to be older than what they saw starts a new one. */
@Entity('incarnations')
export class Incarnation {
  @PrimaryGeneratedColumn('identity', { generatedIdentity: 'ALWAYS', type: 'integer' }) number!: number
  @Column('uuid') @Generated('uuid') id!: string
  /** Postgres' system identifier and timeline: a restore elsewhere or to a point in time changes them. */
  @Column('text') clusterId!: string
  @Column('text') reason!: string
  @Column('timestamptz', { default: () => 'now()' }) startedAt!: Date
}
