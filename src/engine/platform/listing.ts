import type { EntityTarget, ObjectLiteral } from 'typeorm'

/** What may be listed how. Names are properties of the entity that are columns. */
export interface Listing<E extends ObjectLiteral, X = unknown, U extends string = never> {
  readonly entity: EntityTarget<E> & { readonly name?: string }
  readonly sortable: readonly (keyof E & string)[]
  /** When the query says nothing: `-createdAt`. */
  readonly defaultSort: string
  /** Equality, or one of many where the query repeats it. The query class has a `@Filter()` of the same name. */
  readonly filterable?: readonly (keyof E & string)[]
  /** Unique; makes every order total. Default `id`. */
  readonly id?: keyof E & string
  /** Of its columns, those that nobody who lists it looks at: each costs as much as one that is shown. */
  readonly unread?: readonly (U & keyof E & string)[]
  /** What is read with each row beside its columns: SQL by name, over the alias `row`. */
  readonly also?: { readonly [K in keyof X & string]: string }
}
