import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { HttpMethod, MonitorType } from '../../wire/balancing/terms.js'
import { PartOfBalancer } from './balancing-part.js'

/** How the members of a pool are checked. Times in seconds. */
@Entity('health_monitors')
@Index('ix_health_monitors_load_balancer_id', ['loadBalancerId'])
@Index('ix_health_monitors_project_id_created_at', ['projectId', 'createdAt', 'id'])
@Index('uq_health_monitors_pool_id', ['poolId'], { unique: true })
export class HealthMonitor extends PartOfBalancer {
  @Column('uuid')
  @ForeignKey('LoadBalancer', 'id', { name: 'fk_health_monitors_load_balancer_id', onDelete: 'CASCADE' })
  loadBalancerId!: string
  @Column('uuid')
  @ForeignKey('Pool', 'id', { name: 'fk_health_monitors_pool_id', onDelete: 'CASCADE' })
  poolId!: string
  @Column('text') type!: MonitorType
  @Column('integer') delay!: number
  @Column('integer') timeout!: number
  @Column('integer') maxRetries!: number
  @Column('integer', { default: 3 }) maxRetriesDown!: number
  @Column('text', { nullable: true }) httpMethod!: HttpMethod | null
  @Column('text', { nullable: true }) urlPath!: string | null
  @Column('text', { nullable: true }) expectedCodes!: string | null
  @Column('text', { nullable: true }) httpVersion!: '1.0' | '1.1' | null
  @Column('text', { nullable: true }) domainName!: string | null
}
