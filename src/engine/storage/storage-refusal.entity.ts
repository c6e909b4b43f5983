import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm'
import type { Fault } from '../../wire/session.js'

/**
 * A host that a storage matches and that could not be given it as it is wanted: by quota, or because it cannot connect such
 * storage. What it was given before it keeps.
 */
@Entity('storage_refusals')
@Index('ix_storage_refusals_host_id', ['hostId'])
export class StorageRefusal {
  @PrimaryColumn('uuid')
  @ForeignKey('Storage', 'id', { name: 'fk_storage_refusals_storage_id', onDelete: 'CASCADE' })
  storageId!: string
  @PrimaryColumn('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_storage_refusals_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('jsonb') fault!: Fault
  @Column('timestamptz', { default: () => 'now()' }) refusedAt!: Date
}
