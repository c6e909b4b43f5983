import { Column, PrimaryColumn } from 'typeorm'
import type { BalancingStatus } from '../../wire/balancing/terms.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** What a load balancer and all under it have alike. */
export abstract class BalancingPart {
  @PrimaryColumn('uuid') id!: string
  /** Of the balancer, and repeated under it for its lists. */
  @Column('uuid') projectId!: string
  @Column('text', { default: '' }) name!: string
  @Column('text', { default: '' }) description!: string
  @Column('boolean', { default: true }) adminStateUp!: boolean
  @Column('text', { array: true, default: {} }) tags!: string[]
  @Column('text') provisioningStatus!: ProvisioningStatus
  @Column('text', { default: 'OFFLINE' }) operatingStatus!: BalancingStatus
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}

/** What stands under a load balancer: changing it claims the balancer (L8). */
export abstract class PartOfBalancer extends BalancingPart {
  /** The generation of the balancer that holds its last change: it is ACTIVE once that one is. */
  @Column('integer') generation!: number
}
