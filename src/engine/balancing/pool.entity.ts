import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { Algorithm, PersistenceType, PoolProtocol } from '../../wire/balancing/terms.js'
import { PartOfBalancer } from './balancing-part.js'

export interface SessionPersistence {
  readonly type: PersistenceType
  /** Of APP_COOKIE alone. */
  readonly cookieName: string | null
}

/** Members that take the same requests. Listeners and L7 policies of its balancer lead to it. */
@Entity('pools')
@Index('ix_pools_load_balancer_id', ['loadBalancerId'])
@Index('ix_pools_project_id_created_at', ['projectId', 'createdAt', 'id'])
export class Pool extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_pools_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('text') protocol!: PoolProtocol
  @Column('text') lbAlgorithm!: Algorithm
  @Column('jsonb', { nullable: true }) sessionPersistence!: SessionPersistence | null
}
