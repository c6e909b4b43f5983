import { Column, Entity, PrimaryColumn } from 'typeorm'

/** One running control-plane process, alive while its lease is, by the database's clock alone. */
@Entity('replicas')
export class Replica {
  @PrimaryColumn('uuid') id!: string
  @Column('text') name!: string
  @Column('text') version!: string
  @Column('text') address!: string
  @Column('timestamptz', { default: () => 'now()' }) startedAt!: Date
  @Column('timestamptz') leaseUntil!: Date
}
