import { Column, Entity, ForeignKey, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { VolumePlace } from '../../wire/guests/intent.js'
import type { Fault } from '../../wire/session.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** The disks of a guest as they were at one moment. */
@Entity('guest_snapshots')
@Unique('uq_guest_snapshots_guest_id_name', ['guestId', 'name'])
export class GuestSnapshot {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Guest', 'id', { name: 'fk_guest_snapshots_guest_id', onDelete: 'CASCADE' })
  guestId!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_guest_snapshots_project_id' })
  projectId!: string
  @Column('text') name!: string
  @Column('jsonb') volumes!: readonly VolumePlace[]
  @Column('boolean', { nullable: true }) quiesced!: boolean | null
  @Column('integer', { default: 1 }) generation!: number
  @Column('uuid', { nullable: true }) commandId!: string | null
  @Column('text') provisioningStatus!: ProvisioningStatus
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { nullable: true }) faultAt!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
