import { Column, Entity, ForeignKey, Index } from 'typeorm'
import type { Provider } from '../../wire/balancing/providers.js'
import type { ListenerStatistics } from '../../wire/balancing/sighting.js'
import type { Fault } from '../../wire/session.js'
import { BalancingPart } from './balancing-part.js'

/** A load balancer (Octavia's): one VIP on one device, and the lock of all that stands under it. */
@Entity('load_balancers')
@Index('ix_load_balancers_project_id_created_at', ['projectId', 'createdAt', 'id'])
@Index('ix_load_balancers_created_at', ['createdAt', 'id'])
@Index('ix_load_balancers_device_id', ['deviceId'])
@Index('ix_load_balancers_host_id', ['hostId'])
export class LoadBalancer extends BalancingPart {
  @Column('uuid')
  @ForeignKey('Network', 'id', { name: 'fk_load_balancers_network_id' })
  networkId!: string
  @Column('text') vipAddress!: string
  /** Octavia's clients know an address by the id of its port. */
  @Column('uuid') vipPortId!: string
  @Column('text') provider!: Provider
  @Column('uuid', { nullable: true }) flavorId!: string | null
  @Column('text', { nullable: true }) availabilityZone!: string | null
  /** What it lives on (L6). */
  @Column('uuid')
  @ForeignKey('BalancingDevice', 'id', { name: 'fk_load_balancers_device_id' })
  deviceId!: string
  /** Whose agent is in charge of that device: commands go there. */
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_load_balancers_host_id' })
  hostId!: string
  /** Raised when it moves to another device. */
  @Column('integer', { default: 1 }) placementGeneration!: number
  @Column('integer', { default: 1 }) generation!: number
  /** The last one that its device had in force; null: none yet. */
  @Column('integer', { nullable: true }) goodGeneration!: number | null
  /** As `digestOf` makes it of the intent of `generation`. */
  @Column('text') intentDigest!: string
  @Column('uuid', { nullable: true }) commandId!: string | null
  /** Why provisioning failed, in the driver's words. */
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { nullable: true }) faultAt!: Date | null
  @Column('jsonb', { nullable: true }) observedFault!: Fault | null
  @Column('timestamptz', { nullable: true }) observedAt!: Date | null
  @Column('integer', { nullable: true }) observedGeneration!: number | null
  /** By listener. */
  @Column('jsonb', { default: {} }) statistics!: Readonly<Record<string, ListenerStatistics>>
}
