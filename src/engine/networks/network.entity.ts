import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'

/** Both ends are in it. */
export interface AddressRange {
  readonly from: string
  readonly to: string
}

/** Addresses that things take theirs from, and the bridge on hosts that leads to them. */
@Entity('networks')
@Index('uq_networks_project_id_name', ['projectId', 'name'], { unique: true })
export class Network {
  @PrimaryGeneratedColumn('uuid') id!: string
  /** Null: every project may have addresses of it. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Project', 'id', { name: 'fk_networks_project_id' })
  projectId!: string | null
  @Column('text') name!: string
  @Column('text', { default: '' }) description!: string
  @Column('cidr') cidr!: string
  @Column('inet', { nullable: true }) gateway!: string | null
  @Column('jsonb') ranges!: readonly AddressRange[]
  /** Addresses of the ranges that can be had. */
  @Column('integer') size!: number
  /** What this and the following mean on a host: `NetworkIntent`. */
  @Column('text', { nullable: true }) bridge!: string | null
  @Column('boolean', { default: false }) createBridge!: boolean
  @Column('text', { nullable: true }) uplink!: string | null
  @Column('integer', { nullable: true }) vlan!: number | null
  @Column('boolean', { default: false }) hostIsGateway!: boolean
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
