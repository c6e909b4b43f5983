import { Column, Entity, PrimaryColumn } from 'typeorm'

/** A sealing key that something in the database may be sealed with, and what proves that a replica has it. */
@Entity('sealing_checks')
export class SealingCheck {
  @PrimaryColumn('text') keyId!: string
  @Column('text') sealed!: string
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
