import type { EntityTarget, ObjectLiteral } from 'typeorm'

/** What may be listed how. Names are properties of the entity that are columns. */
export interface Listing<E extends ObjectLiteral> {
  readonly entity: EntityTarget<E> & { readonly name?: string }
  readonly sortable: readonly (keyof E & string)[]
  /** When the query says nothing: `-createdAt`. */
  readonly defaultSort: string
  /** Equality, or one of many where the query repeats it. The query class has a `@Filter()` of the same name. */
  readonly filterable?: readonly (keyof E & string)[]
  /** Unique; makes every order total. Default `id`. */
  readonly id?: keyof E & string
}
