import { Entity, PrimaryColumn, PrimaryGeneratedColumn } from 'typeorm'
import { AuditContent } from './audit-content.js'

/** A row as its call left it, until it has its place in the chain. Ordered as events are, see `event-cursor.ts`. */
@Entity('audit_unchained')
export class UnchainedAuditEntry extends AuditContent {
  @PrimaryColumn('integer') incarnation!: number
  @PrimaryColumn('bigint', { default: () => '((pg_current_xact_id()))' }) xid!: number
  @PrimaryGeneratedColumn('identity', { type: 'bigint', generatedIdentity: 'ALWAYS' }) id!: number
}
