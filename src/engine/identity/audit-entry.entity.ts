import { Column, Entity, Index, PrimaryColumn } from 'typeorm'
import { AuditContent } from './audit-content.js'

/** A row of the audit log in its place in the chain. Written once, removed by retention alone. */
@Entity('audit_entries')
@Index('ix_audit_entries_at', ['at'])
@Index('ix_audit_entries_user_id_seq', ['userId', 'seq'])
@Index('ix_audit_entries_user_name_seq', ['userName', 'seq'])
@Index('ix_audit_entries_request_id', ['requestId'])
@Index('ix_audit_entries_operation_seq', ['operation', 'seq'])
@Index('ix_audit_entries_project_id_seq', ['projectId', 'seq'])
@Index('ix_audit_entries_subjects', ['subjects'], { type: 'gin' })
export class AuditEntry extends AuditContent {
  @PrimaryColumn('bigint') seq!: number
  /** As it was given when the row was written, before it had its place. */
  @Column('bigint') id!: number
  @Column('text') previousHash!: string
  @Column('text') hash!: string
}
