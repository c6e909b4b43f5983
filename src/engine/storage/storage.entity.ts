import { Column, Entity, ForeignKey, PrimaryGeneratedColumn, Unique } from 'typeorm'

/** Which hosts: those that have all of the labels, and those that are named; but not those that are excepted. */
export interface StorageSelector {
  /** None at all match every host; null: no host by its labels. */
  readonly labels: Readonly<Record<string, string>> | null
  readonly hostIds: readonly string[]
  readonly exceptHostIds: readonly string[]
}

/** What the plane keeps managed on every host that matches, present and future. Its rows on hosts say how it goes. */
@Entity('storages')
@Unique('uq_storages_project_id_name', ['projectId', 'name'])
export class Storage {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_storages_project_id' })
  projectId!: string
  @Column('text') name!: string
  @Column('text') uri!: string
  @Column('jsonb', { default: {} }) options!: Record<string, string>
  /** JSON of names and texts. Null: none. */
  @Column('text', { nullable: true }) sealedCredentials!: string | null
  @Column('text', { array: true, default: {} }) credentialNames!: string[]
  @Column('jsonb') selector!: StorageSelector
  /** Of all that is said of it: what the ETag shows. */
  @Column('integer', { default: 1 }) generation!: number
  /** Of what hosts are told: a new name is nothing to them. */
  @Column('integer', { default: 1 }) intentGeneration!: number
  /** The generation that every matching host was last given. */
  @Column('integer', { default: 0 }) placedGeneration!: number
  /** It goes when its last row has gone. */
  @Column('boolean', { default: false }) deleting!: boolean
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
