import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm'

/** The last command number of each host. Its row lock makes commands of one host commit in the order of their numbers. */
@Entity('host_sequences')
export class HostSequence {
  @PrimaryColumn('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_host_sequences_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('bigint', { default: 0 }) lastSeq!: number
}
