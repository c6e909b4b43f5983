import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/**
 * A thing that a host holds and the database does not account for. `unknown`: no row; `newer`: the host's generation is
 * higher than the row's and says something else; `host`: made by the host for itself, which is no fault. Shown to the operator, never removed by itself.
 */
@Entity('quarantine')
@Index('uq_quarantine_host_id_subject', ['hostId', 'subject'], { unique: true })
@Index('ix_quarantine_found_at', ['foundAt', 'id'])
export class Quarantined {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_quarantine_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('text') subject!: string
  @Column('integer') generation!: number
  @Column('text') reason!: 'unknown' | 'newer' | 'host'
  @Column('text') status!: string
  @Column('jsonb', { default: {} }) detail!: Record<string, unknown>
  @Column('text', { default: 'held' }) state!: 'held' | 'released' | 'dismissed' | 'removed'
  @Column('timestamptz', { default: () => 'now()' }) foundAt!: Date
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null
}
