import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/**
 * Evidence that something was meant to go from a host. `waiting`: the host has not confirmed; `confirmed`: it has;
 * `forgotten`: an administrator gave its name free without a confirmation, and it is removed when the host shows it.
 */
@Entity('tombstones')
@Index('uq_tombstones_host_id_subject', ['hostId', 'subject'], { unique: true })
@Index('ix_tombstones_created_at', ['createdAt', 'id'])
export class Tombstone {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_tombstones_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('text') subject!: string
  @Column('integer') generation!: number
  @Column('text', { default: 'waiting' }) state!: 'waiting' | 'confirmed' | 'forgotten'
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null
}
