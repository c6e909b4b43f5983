import { Column } from 'typeorm'

/** What a row of the audit log says. The two tables that it goes through have it in common. */
export abstract class AuditContent {
  /** When its outcome was decided, by the database's clock. */
  @Column({ type: 'timestamptz', precision: 3 }) at!: Date
  @Column('text', { nullable: true }) requestId!: string | null
  /** Null: nobody had signed in. */
  @Column('uuid', { nullable: true }) userId!: string | null
  @Column('text') userName!: string
  @Column('uuid', { nullable: true }) tokenId!: string | null
  @Column('text') address!: string
  /** Null: the call did not get as far as a route. */
  @Column('text', { nullable: true }) operation!: string | null
  @Column('text') method!: string
  @Column('text') path!: string
  /** What it was about, as events name things: `host/<id>`. */
  @Column('text', { array: true, default: '{}' }) subjects!: string[]
  /** Null: the plane's own, or not known. */
  @Column('uuid', { nullable: true }) projectId!: string | null
  @Column('integer') status!: number
  @Column('text', { nullable: true }) problem!: string | null
  /** The `id` of the row that told another outcome of the same call. */
  @Column('bigint', { nullable: true }) corrects!: number | null
}
