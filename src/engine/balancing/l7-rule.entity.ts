import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { CompareType, RuleType } from '../../wire/balancing/terms.js'
import { PartOfBalancer } from './balancing-part.js'

/** One condition of an L7 policy. */
@Entity('l7_rules')
@Index('ix_l7_rules_load_balancer_id', ['loadBalancerId'])
@Index('ix_l7_rules_l7_policy_id', ['l7PolicyId'])
export class L7Rule extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_l7_rules_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('uuid')
  @ForeignKey('L7Policy', 'id', { name: 'fk_l7_rules_l7_policy_id', onDelete: 'CASCADE' })
  l7PolicyId!: string
  @Column('text') type!: RuleType
  @Column('text') compareType!: CompareType
  /** The name of the header or cookie. */
  @Column('text', { nullable: true }) key!: string | null
  @Column('text') value!: string
  @Column('boolean', { default: false }) invert!: boolean
}
