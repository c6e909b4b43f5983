import { Column, Entity, ForeignKey, Index } from 'typeorm'
import { PartOfBalancer } from './balancing-part.js'

/** One that answers for a pool. */
@Entity('members')
@Index('ix_members_load_balancer_id', ['loadBalancerId'])
@Index('ix_members_project_id', ['projectId'])
@Index('uq_members_pool_id_address_protocol_port', ['poolId', 'address', 'protocolPort'], { unique: true })
export class Member extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_members_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('uuid')
  @ForeignKey('Pool', 'id', { name: 'fk_members_pool_id', onDelete: 'CASCADE' })
  poolId!: string
  /** Where it is said to be; nothing is claimed there. */
  @Column('uuid', { nullable: true }) networkId!: string | null
  @Column('text') address!: string
  @Column('integer') protocolPort!: number
  /** 0 to 256; 0: no new connections. */
  @Column('integer', { default: 1 }) weight!: number
  @Column('boolean', { default: false }) backup!: boolean
  @Column('text', { nullable: true }) monitorAddress!: string | null
  @Column('integer', { nullable: true }) monitorPort!: number | null
}
