import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm'

/** One address and who has it: a free one is a row that can be locked (docs/adr/0045). */
@Entity('network_addresses')
// of an expression, which cannot be said here
@Index('ix_network_addresses_free', { synchronize: false })
@Index('ix_network_addresses_held', ['networkId', 'pooled'], { where: 'holder_id IS NOT NULL' })
@Index('ix_network_addresses_holder', ['holderId', 'holderNoun'], { where: 'holder_id IS NOT NULL' })
export class NetworkAddress {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_network_addresses' })
  @ForeignKey('Network', 'id', { name: 'fk_network_addresses_network_id', onDelete: 'CASCADE' })
  networkId!: string
  @PrimaryColumn('inet', { primaryKeyConstraintName: 'pk_network_addresses' }) address!: string
  /** Of the ranges. One that is not is gone when it is released. */
  @Column('boolean', { default: true }) pooled!: boolean
  @Column('text', { nullable: true }) holderNoun!: string | null
  /** Null: it is free. */
  @Column('text', { nullable: true }) holderId!: string | null
  /** Who may see the holder. */
  @Column('uuid', { nullable: true }) projectId!: string | null
  @Column('timestamptz', { nullable: true }) since!: Date | null
}
