import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm'
import type { StoredTree } from './tree.js'

/** What a balancer was asked to be, generation by generation: the last few, for a way back. */
@Entity('load_balancer_generations')
export class BalancerGeneration {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_load_balancer_generations' })
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_load_balancer_generations_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @PrimaryColumn('integer', { primaryKeyConstraintName: 'pk_load_balancer_generations' }) generation!: number
  /** Rows as they stood then: no secrets, nothing of what was seen. */
  @Column('jsonb') tree!: StoredTree
  /** Its device had it in force. */
  @Column('boolean', { default: false }) good!: boolean
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
