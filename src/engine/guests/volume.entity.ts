import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { SnapshotOrigin } from '../../wire/guests/intent.js'
import type { VolumeFormat } from '../../wire/guests/terms.js'
import type { Fault } from '../../wire/session.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** A guest's disk, or what may become one: a file on a storage connection (U4). */
@Entity('volumes')
@Index('ix_volumes_project_id_created_at', ['projectId', 'createdAt', 'id'])
@Index('ix_volumes_guest_id', ['guestId', 'position'], { where: 'guest_id IS NOT NULL' })
@Index('ix_volumes_host_id', ['hostId'], { where: 'host_id IS NOT NULL' })
@Index('ix_volumes_image_id', ['imageId'], { where: 'image_id IS NOT NULL' })
@Index('ix_volumes_connection_id', ['connectionId'])
export class Volume {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_volumes_project_id' })
  projectId!: string
  @Column('text') name!: string
  @Column('text') connectionId!: string
  /** Who makes, grows and removes it: the host of its guest, or one on which its connection was up. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Host', 'id', { name: 'fk_volumes_host_id' })
  hostId!: string | null
  @Column('text') format!: VolumeFormat
  @Column('integer') sizeMib!: number
  /** What it is an overlay on. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Image', 'id', { name: 'fk_volumes_image_id' })
  imageId!: string | null
  /** What it began as a copy of. */
  @Column('jsonb', { nullable: true }) snapshotOrigin!: SnapshotOrigin | null
  @Column('uuid', { nullable: true })
  @ForeignKey('Guest', 'id', { name: 'fk_volumes_guest_id' })
  guestId!: string | null
  /** Among the disks of its guest. */
  @Column('integer', { nullable: true }) position!: number | null
  @Column('boolean', { default: false }) goesWithGuest!: boolean
  @Column('integer', { default: 1 }) generation!: number
  @Column('uuid', { nullable: true }) commandId!: string | null
  @Column('text') provisioningStatus!: ProvisioningStatus
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { nullable: true }) faultAt!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
