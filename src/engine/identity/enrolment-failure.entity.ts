import { Column, Entity, PrimaryColumn } from 'typeorm'

/** An address from which join tokens were guessed. */
@Entity('enrolment_failures')
export class EnrolmentFailure {
  @PrimaryColumn('text') address!: string
  @Column('integer', { default: 0 }) failures!: number
  @Column('timestamptz', { default: () => 'now()' }) lastAt!: Date
  @Column('timestamptz', { nullable: true }) lockedUntil!: Date | null
}
