import { Column, Entity, Index, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { HostFacts } from '../../wire/session.js'
import type { HostStatus } from './hosts.states.js'

@Entity('hosts')
@Unique('uq_hosts_name', ['name'])
@Index('ix_hosts_owner_replica_id', ['ownerReplicaId'])
export class Host {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') name!: string
  @Column('jsonb', { default: {} }) labels!: Record<string, string>
  @Column('text', { default: 'Down' }) status!: HostStatus
  @Column('text', { nullable: true }) statusReason!: string | null
  @Column('timestamptz', { default: () => 'now()' }) statusSince!: Date
  @Column('uuid', { nullable: true }) agentId!: string | null
  @Column('text', { nullable: true }) agentVersion!: string | null
  @Column('integer', { nullable: true }) protocol!: number | null
  @Column('text', { nullable: true }) bootId!: string | null
  @Column('text', { array: true, default: {} }) kinds!: string[]
  @Column('text', { array: true, default: {} }) capabilities!: string[]
  @Column('jsonb', { nullable: true }) facts!: HostFacts | null
  @Column('boolean', { default: false }) connected!: boolean
  /** Raised by every session that opens; a report or a command of a lower one is refused. */
  @Column('bigint', { default: 0 }) sessionEpoch!: number
  @Column('uuid', { nullable: true }) ownerReplicaId!: string | null
  @Column('timestamptz', { nullable: true }) sessionOpenedAt!: Date | null
  /** Of the intent (name, labels, maintenance): what the ETag shows. */
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
