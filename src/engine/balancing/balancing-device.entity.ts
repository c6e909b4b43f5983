import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/**
 * What balancers live on (L6, L7): a host itself, or an appliance that one or more agents reach. One of them is in charge; a
 * raised epoch shuts out the one before.
 */
@Entity('balancing_devices')
@Index('uq_balancing_devices_kind_name', ['kind', 'name'], { unique: true })
@Index('ix_balancing_devices_host_id', ['hostId'])
export class BalancingDevice {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') kind!: 'host' | 'appliance'
  /** The host's id, or the name by which agents tell of the appliance. */
  @Column('text') name!: string
  /** Whose agent is in charge. */
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_balancing_devices_host_id' })
  hostId!: string
  @Column('integer', { default: 1 }) epoch!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
