import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { MessageKind } from '../../wire/guests/commands.js'
import type { Fault } from '../../wire/session.js'
import type { MessageState } from './guests.states.js'

/** What may be shown of a task. */
export interface TaskSummary {
  readonly users: readonly string[]
  readonly packages: readonly string[]
  readonly files: readonly string[]
  readonly commands: number
}

/** Something that is said to a guest, once (G3, G4). Its command exists from the pong on that it follows. */
@Entity('guest_messages')
@Index('ix_guest_messages_guest_id_created_at', ['guestId', 'createdAt', 'id'])
export class GuestMessage {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Guest', 'id', { name: 'fk_guest_messages_guest_id', onDelete: 'CASCADE' })
  guestId!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_guest_messages_project_id' })
  projectId!: string
  /** Of the guest: a message is for one build of it. */
  @Column('integer') build!: number
  @Column('text') kind!: MessageKind
  @Column('jsonb') summary!: TaskSummary
  /** JSON of the task; what a rebuild says again stays. */
  @Column('text', { nullable: true }) sealedTask!: string | null
  @Column('integer') runTimeoutMs!: number
  @Column('text', { default: 'waiting' }) state!: MessageState
  @Column('uuid', { nullable: true }) pingCommandId!: string | null
  @Column('uuid', { nullable: true }) commandId!: string | null
  @Column('text', { nullable: true }) bootId!: string | null
  /** Pings that were sent for it, each with all of its attempts. */
  @Column('integer', { default: 0 }) pings!: number
  @Column('timestamptz', { nullable: true }) pongAt!: Date | null
  @Column('integer', { nullable: true }) exitCode!: number | null
  @Column('text', { nullable: true }) output!: string | null
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { nullable: true }) endedAt!: Date | null
}
