import { Column, Entity, PrimaryGeneratedColumn } from 'typeorm'

/** The key that replicas seal TLS session tickets with: the newest, the same for all. */
@Entity('tls_ticket_keys')
export class TicketKey {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('text') sealed!: string
  @Column('timestamptz', { default: () => 'clock_timestamp()' }) createdAt!: Date
}
