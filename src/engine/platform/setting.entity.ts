import { Column, Entity, PrimaryColumn } from 'typeorm'

/** A setting that was changed from its default. */
@Entity('settings')
export class Setting {
  @PrimaryColumn('text') key!: string
  @Column('jsonb') value!: unknown
  @Column('integer', { default: 1 }) generation!: number
  @Column('timestamptz', { default: () => 'now()' }) updatedAt!: Date
}
