import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { PolicyAction } from '../../wire/balancing/terms.js'
import { PartOfBalancer } from './balancing-part.js'

/** What a listener does with requests that meet all of its rules, before its default pool. */
@Entity('l7_policies')
@Index('ix_l7_policies_load_balancer_id', ['loadBalancerId'])
@Index('ix_l7_policies_project_id_created_at', ['projectId', 'createdAt', 'id'])
export class L7Policy extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_l7_policies_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('uuid')
  @ForeignKey('Listener', 'id', { name: 'fk_l7_policies_listener_id', onDelete: 'CASCADE' })
  listenerId!: string
  @Column('text') action!: PolicyAction
  /** From 1, without gaps within its listener. */
  @Column('integer') position!: number
  @Column('uuid', { nullable: true }) redirectPoolId!: string | null
  @Column('text', { nullable: true }) redirectUrl!: string | null
  @Column('text', { nullable: true }) redirectPrefix!: string | null
  @Column('integer', { nullable: true }) redirectHttpCode!: number | null
}
