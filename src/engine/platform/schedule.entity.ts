import { Column, Entity, PrimaryColumn } from 'typeorm'

/** A piece of periodic work (E5) and how its last turn went. */
@Entity('schedules')
export class Schedule {
  @PrimaryColumn('text') name!: string
  @Column('timestamptz', { default: () => 'now()' }) nextRunAt!: Date
  @Column('timestamptz', { nullable: true }) leaseUntil!: Date | null
  @Column('uuid', { nullable: true }) leasedBy!: string | null
  @Column('timestamptz', { nullable: true }) lastStartedAt!: Date | null
  @Column('integer', { nullable: true }) lastDurationMs!: number | null
  @Column('text', { nullable: true }) lastOutcome!: 'succeeded' | 'failed' | null
  @Column('text', { nullable: true }) lastError!: string | null
}
