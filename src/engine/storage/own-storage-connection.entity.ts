import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'

/**
 * A storage connection that a host has without the plane, as it tells of it: under an id of one of its own programs
 * (`managed`), or held by no id. Its ids are no ids of the plane, also where they are spelled alike.
 */
@Entity('own_storage_connections')
@Index('uq_own_storage_connections_host_id_connection_id_managed', ['hostId', 'connectionId', 'managed'], {
  unique: true,
})
@Index('ix_own_storage_connections_target_id', ['targetId'])
export class OwnStorageConnection {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_own_storage_connections_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('boolean') managed!: boolean
  @Column('text') connectionId!: string
  @Column('text') uri!: string
  @Column('text') target!: string
  /** As `targetIdOf` makes it of the target. */
  @Column('text') targetId!: string
  /** When it was first told to lead there. */
  @Column('timestamptz', { default: () => 'now()' }) targetSince!: Date
  /** The target was connected before its first id: its host never disconnects it (S10). */
  @Column('boolean', { default: false }) preexisting!: boolean
  /** No id holds it any more, and its host is disconnecting it (S5). */
  @Column('boolean', { default: false }) leaving!: boolean
  @Column('jsonb', { default: {} }) options!: Record<string, string>
  @Column('text', { nullable: true }) mountPoint!: string | null
  @Column('text') operatingStatus!: StorageOperatingStatus
  @Column('jsonb', { nullable: true }) observedFault!: Fault | null
  @Column('timestamptz', { default: () => 'now()' }) observedAt!: Date
  /** When it was first told of. */
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
