import { randomUUID } from 'node:crypto'
import { isDeepStrictEqual } from 'node:util'
import { NotFound } from '../../platform/errors.js'
import type { PartOfBalancer } from '../balancing-part.js'
import type { Tree } from '../tree.js'

/** Left out: as it is. Null: its default. */
export type Changes<D> = { readonly [K in keyof D]?: D[K] | null }

/** What is said when a part is made, where its maker has chosen an id to find it by. */
export interface Made {
  readonly id?: string
}

/** What all parts of a balancer may be told. */
export interface Described {
  readonly name: string
  readonly description: string
  readonly adminStateUp: boolean
  readonly tags: string[]
}

export const described: Described = { name: '', description: '', adminStateUp: true, tags: [] }

/** The attributes that `defaults` knows, changed; whatever else is said is none of them. */
export function changed<D extends object>(current: D, said: Changes<D>, defaults: D): D {
  const names = Object.keys(defaults) as (keyof D)[]
  const values = names.map((name) => {
    const value = said[name]
    return [name, value === undefined ? current[name] : (value ?? defaults[name])]
  })
  return Object.fromEntries(values) as D
}

/** What a new part of this balancer begins with. Its statuses and its generation are the workflow's. */
export function newPart({ loadBalancer }: Tree, id: string = randomUUID()) {
  const now = new Date()
  return {
    id,
    projectId: loadBalancer.projectId,
    loadBalancerId: loadBalancer.id,
    provisioningStatus: 'PENDING_CREATE',
    operatingStatus: 'OFFLINE',
    generation: loadBalancer.generation,
    createdAt: now,
    updatedAt: now,
  } as const
}

/** @throws NotFound */
export function required<R extends { readonly id: string }>(rows: readonly R[], id: string, noun: string): R {
  const row = rows.find((one) => one.id === id)
  if (!row) throw new NotFound(`${noun} ${id}`)
  return row
}

/** The row with these attributes; the very same where they are what it has: what is the same changes nothing. */
export function altered<R extends object>(row: R, attributes: Partial<R>): R {
  const names = Object.keys(attributes) as (keyof R)[]
  return names.every((name) => isDeepStrictEqual(row[name], attributes[name])) ? row : { ...row, ...attributes }
}

/** The one of the same id is this from now on. */
export const replaced = <R extends PartOfBalancer>(rows: readonly R[], row: R): readonly R[] =>
  rows.map((one) => (one.id === row.id ? row : one))
