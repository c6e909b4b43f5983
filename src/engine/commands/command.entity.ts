import { Column, Entity, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { CommandKind } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import type { CommandState } from './commands.states.js'

/** What a host was asked to do: the queue, the outbox and the list of what is going on, in one row each. */
@Entity('commands')
@Index('uq_commands_host_id_seq', ['hostId', 'seq'], { unique: true })
@Index('ix_commands_unfinished', ['hostId', 'seq'], { where: 'finished_at IS NULL' })
@Index('ix_commands_unfinished_subject', ['hostId', 'subject'], { where: 'finished_at IS NULL' })
@Index('ix_commands_deadline', ['deadlineAt'], { where: 'finished_at IS NULL AND deadline_at IS NOT NULL' })
@Index('ix_commands_created_at', ['createdAt', 'id'])
@Index('ix_commands_project_id', ['projectId', 'createdAt', 'id'], { where: 'project_id IS NOT NULL' })
export class Command {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid') hostId!: string
  @Column('bigint') seq!: number
  @Column('text') kind!: CommandKind
  @Column('text') subject!: string
  @Column('integer') generation!: number
  @Column('jsonb') payload!: object
  /** JSON of what else belongs to the payload, and is secret. Gone when the command has ended. */
  @Column('text', { nullable: true }) sealedSecrets!: string | null
  @Column('text', { default: 'queued' }) state!: CommandState
  @Column('integer', { default: 0 }) attempts!: number
  @Column('bigint', { nullable: true }) epoch!: number | null
  @Column('boolean', { default: false }) permitted!: boolean
  /** The command that stands for it: a later one of its subject, asked for before this one had ended. */
  @Column('uuid', { nullable: true }) supersededBy!: string | null
  @Column('boolean', { default: false }) late!: boolean
  @Column('text', { nullable: true }) requestId!: string | null
  /** Null: the plane's own. */
  @Column('uuid', { nullable: true }) projectId!: string | null
  @Column('jsonb', { nullable: true }) result!: object | null
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('text', { nullable: true }) settleError!: string | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { nullable: true }) dispatchedAt!: Date | null
  @Column('timestamptz', { nullable: true }) deadlineAt!: Date | null
  @Column('timestamptz', { nullable: true }) finishedAt!: Date | null
}
