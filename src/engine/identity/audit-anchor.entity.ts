import { Column, Entity, PrimaryColumn } from 'typeorm'

/** The last row that retention removed: the chain goes on after it. The first stands before all rows. */
@Entity('audit_anchors')
export class AuditAnchor {
  @PrimaryColumn('bigint') seq!: number
  @Column('text') hash!: string
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
