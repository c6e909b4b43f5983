import { Column, Entity, Index, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm'

/** What happened. Ordered by (incarnation, xid, id), see `event-cursor.ts`. */
@Entity('events')
@Index('ix_events_at', ['at'])
@Index('ix_events_subject', ['subject', 'incarnation', 'xid', 'id'])
@Index('ix_events_project_id', ['projectId', 'incarnation', 'xid', 'id'], { where: 'project_id IS NOT NULL' })
export class Event {
  @PrimaryColumn('integer') incarnation!: number
  @PrimaryColumn('bigint', { default: () => '((pg_current_xact_id()))' }) xid!: number
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id!: number
  @Column('timestamptz', { default: () => 'now()' }) at!: Date
  @Column('text') type!: string
  @Column('text') subject!: string
  @Column('uuid', { nullable: true }) hostId!: string | null
  /** Null: the plane's own. */
  @Column('uuid', { nullable: true }) projectId!: string | null
  @Column('text', { nullable: true }) requestId!: string | null
  @Column('jsonb', { default: {} }) payload!: Record<string, unknown>
}
