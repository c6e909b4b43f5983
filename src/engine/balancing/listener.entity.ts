import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { InsertableHeader, ListenerProtocol } from '../../wire/balancing/terms.js'
import { PartOfBalancer } from './balancing-part.js'

/** A port of a VIP. Times in milliseconds. */
@Entity('listeners')
@Index('ix_listeners_load_balancer_id', ['loadBalancerId'])
@Index('ix_listeners_project_id_created_at', ['projectId', 'createdAt', 'id'])
export class Listener extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_listeners_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('text') protocol!: ListenerProtocol
  @Column('integer') protocolPort!: number
  /** -1: no limit. */
  @Column('integer', { default: -1 }) connectionLimit!: number
  @Column('uuid', { nullable: true }) defaultPoolId!: string | null
  @Column('text', { array: true, default: {} }) allowedCidrs!: string[]
  @Column('jsonb', { default: {} }) insertHeaders!: Partial<Record<InsertableHeader, boolean>>
  @Column('integer', { default: 50_000 }) timeoutClientData!: number
  @Column('integer', { default: 5_000 }) timeoutMemberConnect!: number
  @Column('integer', { default: 50_000 }) timeoutMemberData!: number
  @Column('integer', { default: 0 }) timeoutTcpInspect!: number
  @Column('uuid', { nullable: true }) defaultCertificateId!: string | null
  @Column('uuid', { array: true, default: {} }) sniCertificateIds!: string[]
}
