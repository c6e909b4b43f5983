import { Column, Entity, ForeignKey, Index, PrimaryGeneratedColumn, Unique } from 'typeorm'

@Entity('guest_nics')
@Unique('uq_guest_nics_guest_id_position', ['guestId', 'position'])
@Unique('uq_guest_nics_mac', ['mac'])
@Index('ix_guest_nics_network_id', ['networkId'])
export class GuestNic {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Guest', 'id', { name: 'fk_guest_nics_guest_id', onDelete: 'CASCADE' })
  guestId!: string
  @Column('integer') position!: number
  @Column('uuid')
  @ForeignKey('Network', 'id', { name: 'fk_guest_nics_network_id' })
  networkId!: string
  @Column('inet') address!: string
  @Column('text') mac!: string
}
