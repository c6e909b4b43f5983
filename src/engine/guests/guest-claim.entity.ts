import { Column, Entity, ForeignKey, Index, PrimaryColumn } from 'typeorm'

/** What a host has promised to all of its guests (docs/adr/0058). */
@Entity('host_promises')
export class HostPromise {
  @PrimaryColumn('uuid')
  @ForeignKey('Host', 'id', { name: 'fk_host_promises_host_id', onDelete: 'CASCADE' })
  hostId!: string
  @Column('integer', { default: 0 }) guests!: number
  @Column('integer', { default: 0 }) vcpus!: number
  @Column('bigint', { default: 0 }) memoryMib!: number
}

/** What a host has promised to one guest. One that moves has a claim at both of its hosts. */
@Entity('guest_claims')
@Index('ix_guest_claims_host_id', ['hostId'])
export class GuestClaim {
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_guest_claims' })
  @ForeignKey('Guest', 'id', { name: 'fk_guest_claims_guest_id', onDelete: 'CASCADE' })
  guestId!: string
  @PrimaryColumn('uuid', { primaryKeyConstraintName: 'pk_guest_claims' })
  @ForeignKey('Host', 'id', { name: 'fk_guest_claims_host_id' })
  hostId!: string
  @Column('integer') vcpus!: number
  @Column('integer') memoryMib!: number
}
