import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn } from 'typeorm'
import type { StorageOperatingStatus } from '../../wire/commands.js'
import type { Fault } from '../../wire/session.js'
import { DEFAULT_PROJECT } from '../identity/project.entity.js'
import type { ProvisioningStatus } from '../platform/provisioning.js'

/** A storage connection that a host keeps up by itself (S1, S2), by its id on that host (S8). */
@Entity('storage_connections')
@Index('ix_storage_connections_project_id', ['projectId'])
@Index('uq_storage_connections_host_id_connection_id', ['hostId', 'connectionId'], { unique: true })
@Index('ix_storage_connections_storage_id', ['storageId', 'hostId'], { where: 'storage_id IS NOT NULL' })
@Index('ix_storage_connections_target_id', ['targetId'], { where: 'target_id IS NOT NULL' })
export class StorageConnection {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_storage_connections_host_id' })
  hostId!: string
  @Column('uuid', { default: DEFAULT_PROJECT })
  @ForeignKey('Project', 'id', { name: 'fk_storage_connections_project_id' })
  projectId!: string
  @Column('text') connectionId!: string
  @Column('text') uri!: string
  @Column('jsonb', { default: {} }) options!: Record<string, string>
  /** JSON of names and texts. Null: none. */
  @Column('text', { nullable: true }) sealedCredentials!: string | null
  /** What may be shown of them. */
  @Column('text', { array: true, default: {} }) credentialNames!: string[]
  /** The storage that it is there for; null: somebody asked for it on this host. */
  @Column('uuid', { nullable: true })
  @ForeignKey('Storage', 'id', { name: 'fk_storage_connections_storage_id' })
  storageId!: string | null
  /** Which intent of the storage it carries. */
  @Column('integer', { nullable: true }) storageGeneration!: number | null
  /** The actual target as the host normalised it; null until it answered. */
  @Column('text', { nullable: true }) target!: string | null
  /** As `targetIdOf` makes it of the target. */
  @Column('text', { nullable: true }) targetId!: string | null
  /** Since when the host holds this target under the id. */
  @Column('timestamptz', { nullable: true }) targetSince!: Date | null
  /** The target was connected before its first id: its host never disconnects it (S10). */
  @Column('boolean', { default: false }) preexisting!: boolean
  @Column('integer', { default: 1 }) generation!: number
  @Column('uuid', { nullable: true }) commandId!: string | null
  @Column('text') provisioningStatus!: ProvisioningStatus
  @Column('text', { default: 'UNKNOWN' }) operatingStatus!: StorageOperatingStatus
  /** Why provisioning failed. */
  @Column('jsonb', { nullable: true }) fault!: Fault | null
  @Column('timestamptz', { nullable: true }) faultAt!: Date | null
  /** Why it is not up, in the words of the host's tools. */
  @Column('jsonb', { nullable: true }) observedFault!: Fault | null
  @Column('timestamptz', { nullable: true }) observedAt!: Date | null
  /** Of which generation that was; null: nothing was seen yet. */
  @Column('integer', { nullable: true }) observedGeneration!: number | null
  /** UP or DEGRADED since then; null: it is neither. */
  @Column('timestamptz', { nullable: true }) connectedSince!: Date | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
