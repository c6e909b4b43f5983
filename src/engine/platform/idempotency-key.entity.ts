import { Column, Entity, Index, PrimaryColumn } from 'typeorm'

/** A request that its caller may repeat, and the reply that it had. Written with the effect, in one transaction. */
@Entity('idempotency_keys')
@Index('ix_idempotency_keys_created_at', ['createdAt'])
export class IdempotencyKey {
  /** Method and path. */
  @PrimaryColumn('text') scope!: string
  @PrimaryColumn('text') key!: string
  /** Of query and body: the same key with another is refused. */
  @Column('text') fingerprint!: string
  @Column('integer', { nullable: true }) status!: number | null
  @Column('jsonb', { nullable: true }) headers!: Record<string, string> | null
  /** The body's very text, as a JSON string: an object would lose the order of its members. */
  @Column('jsonb', { nullable: true }) body!: string | null
  /** Instead of the body, where it shows a secret. */
  @Column('text', { nullable: true }) sealedBody!: string | null
  @Column('timestamptz', { default: () => 'now()' }) createdAt!: Date
}
