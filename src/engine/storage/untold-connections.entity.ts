import { Column, Entity, ForeignKey, PrimaryColumn } from 'typeorm'

/** How many unmanaged storage connections a host has beyond those that it tells of; no row where it tells of all. */
@Entity('untold_storage_connections')
export class UntoldConnections {
  @PrimaryColumn('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_untold_storage_connections_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('integer') count!: number
}
