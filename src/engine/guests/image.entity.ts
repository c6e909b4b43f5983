import { Column, Entity, ForeignKey, PrimaryGeneratedColumn, Unique } from 'typeorm'
import type { ImageFileIntent } from '../../wire/guests/intent.js'
import type { ImageFormat } from '../../wire/guests/terms.js'

/** What guests are made of: files on a storage connection. Hosts are told of it by the first guest there that is. */
@Entity('images')
@Unique('uq_images_project_id_name', ['projectId', 'name'])
export class Image {
  @PrimaryGeneratedColumn('uuid') id!: string
  @Column('uuid')
  @ForeignKey('Project', 'id', { name: 'fk_images_project_id' })
  projectId!: string
  @Column('text') name!: string
  @Column('text', { default: '' }) description!: string
  @Column('text') format!: ImageFormat
  /** As hosts hold it: the same id on each. */
  @Column('text') connectionId!: string
  @Column('jsonb') files!: readonly ImageFileIntent[]
  /** Of a kernel. */
  @Column('text', { default: '' }) commandLine!: string
  @Column('text', { default: '' }) os!: string
  @Column('text', { nullable: true }) defaultUser!: string | null
  /** It carries the QEMU guest agent: without it nothing can be said to its guests. */
  @Column('boolean') hasAgent!: boolean
  @Column('integer', { default: 0 }) minDiskMib!: number
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
